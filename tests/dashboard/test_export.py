"""Tables as files."""

from __future__ import annotations

import asyncio
import csv
import io

import httpx2
import pytest

from dashboard.api.schema import Answer
from dashboard.export import Export, ExportFormat, Page, cell, csv_lines, export
from tests.dashboard.operating import operating
from tests.dashboard.world import code_of, running
from tests.support.daemons import quotad


class Line(Answer):
    """A row."""

    the_name: str
    size: int | None


PAGES: dict[str, Page[Line]] = {
    "": ([Line(the_name="a", size=1), Line(the_name="b", size=None)], "next"),
    "next": ([], "last"),
    "last": ([Line(the_name='c"\r\n,', size=-3)], ""),
}


async def read_page(token: str) -> Page[Line]:
    return PAGES[token]


async def text_of(made: Export) -> str:
    return b"".join([bytes(part) async for part in made.body_iterator if not isinstance(part, str)]).decode()


async def test_pages_become_one_table() -> None:
    made = await export(read_page, Line, ExportFormat.CSV, "lines", 10)
    assert await text_of(made) == 'theName,size\r\na,1\r\nb,\r\n"c""\r\n,",-3\r\n'


async def test_pages_become_one_array() -> None:
    made = await export(read_page, Line, ExportFormat.JSON, "lines", 10)
    assert await text_of(made) == (
        '[\n{"theName":"a","size":1},\n{"theName":"b","size":null},\n{"theName":"c\\"\\r\\n,","size":-3}\n]\n'
    )


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_text_is_a_formula(start: str) -> None:
    assert cell(f"{start}SUM(A1)") == f"'{start}SUM(A1)"


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, ""), (True, "true"), (-5, "-5"), (0.5, "0.5"), ("a,b", "a,b"), ({"a": 1}, '{"a": 1}'), (["="], '["="]')],
)
def test_a_value_is_written_as_it_is(value: object, said: str) -> None:
    assert cell(value) == said


def test_what_is_written_is_read_back() -> None:
    rows = [["a", 'say "x"', "two\r\nlines", "ü,;"], ["", " b ", "\ud800", "'"]]
    read = list(csv.reader(io.StringIO(csv_lines(rows).decode(), newline="")))
    assert read == [rows[0], ["", " b ", "?", "'"]]


async def test_further_exports_are_refused_and_a_turn_comes_back(database_url: str) -> None:
    async with quotad(database_url) as daemon, operating(daemon, database_url, exports_max=1) as scene:
        path = "/api/reservations/export?format=csv"
        with scene.dashboard.services.export_turns.taken():
            assert code_of(await scene.operator.get(path)) == (429, "exports_busy")
        for _ in range(2):
            assert (await scene.operator.get(path)).status_code == 200
        await scene.daemon.stop()
        assert code_of(await scene.operator.get(path)) == (503, "quotad_unavailable")


async def test_what_takes_too_long_is_cut_off_and_never_taken_for_the_whole() -> None:
    async def never(token: str) -> Page[Line]:
        if token:
            await asyncio.Event().wait()
        return PAGES[""]

    sent: list[bytes] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(bytes(message.get("body", b"")))  # type: ignore[call-overload]

    async def receive() -> dict[str, object]:
        await asyncio.Event().wait()
        raise AssertionError

    made = await export(never, Line, ExportFormat.JSON, "lines", 0.1)
    with pytest.raises(TimeoutError):
        await made({"type": "http"}, receive, send)  # type: ignore[arg-type]
    assert b"".join(sent).startswith(b"[\n{")
    assert b"]" not in b"".join(sent)


async def test_an_unknown_format_is_named(database_url: str) -> None:
    async with running(database_url) as dashboard, dashboard.signed_in() as operator:
        answer: httpx2.Response = await operator.get("/api/reservations/export?format=xlsx")
        assert code_of(answer) == (400, "invalid_request")
        assert answer.json()["error"]["field"] == "format"
