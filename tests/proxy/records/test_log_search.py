from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.records import log_search, log_text
from proxy.records.log_days import drop_days
from proxy.records.log_options import request_log_options
from proxy.records.log_pages import list_request_logs
from proxy.records.request_logs import FacetFilters, ListFilters, RequestLogRow
from proxy.records.write import insert_request_logs
from tests.proxy.records.rows import START, a_row

DAYS = 6


def refusal(number: int) -> RequestLogRow:
    return a_row(
        start_time=START + timedelta(days=number, hours=12),
        request_id=f"Request-{number}A",
        reservation_id=f"019-{number}",
        api_key_id=f"key-{number % 2}",
        api_key_name=f"team-{number}",
        error_code="rate_limit_exceeded",
        error_message=f"Limit 50000, Used {number}7, try again in {number}.5s.",
    )


@pytest.fixture
async def rows(connection: AsyncConnection) -> list[RequestLogRow]:
    rows = [refusal(number) for number in range(DAYS)]
    await insert_request_logs(connection, rows)
    return rows


async def found(connection: AsyncConnection, search: str, **filters: object) -> list[int]:
    """The days on which the text is found, newest first."""
    page = await list_request_logs(connection, ListFilters(search=search, **filters), 25, 0)  # type: ignore[arg-type]
    assert page.total == len(page.rows)
    return [(row.start_time - START).days for row in page.rows]


@pytest.mark.parametrize(
    ("search", "days"),
    [
        ("TEAM-3", [3]),
        ("eam-", [5, 4, 3, 2, 1, 0]),
        ("used 47", [4]),
        ("Used", [5, 4, 3, 2, 1, 0]),
        ("47, try again in 4", [4]),
        ("2", [2]),
        ("request-2", [2]),
        ("request-2a", [2]),
        ("019-5", [5]),
        ("quest-2", []),
        ("used 470", []),
        ("limit%", []),
    ],
)
async def test_parts_of_what_is_said_and_beginnings_of_ids_are_found(
    connection: AsyncConnection, rows: list[RequestLogRow], search: str, days: list[int]
) -> None:
    assert await found(connection, search) == days


async def test_the_range_may_begin_and_end_within_days(connection: AsyncConnection, rows: list[RequestLogRow]) -> None:
    noon = START + timedelta(hours=12)
    assert await found(connection, "team", since=noon + timedelta(days=1), until=noon + timedelta(days=4)) == [3, 2, 1]
    assert await found(connection, "team", since=noon + timedelta(seconds=1), until=noon + timedelta(days=1)) == []
    assert await found(connection, "team", api_key_ids=("key-1",), since=noon + timedelta(days=2)) == [5, 3]


async def test_options_are_those_of_the_matches(connection: AsyncConnection, rows: list[RequestLogRow]) -> None:
    options = await request_log_options(connection, FacetFilters(search="team-3"))
    assert [key.id for key in options.api_keys] == ["key-1"]
    assert options.statuses == ("ok",)


async def test_what_very_many_phrases_have_is_found_without_them(
    connection: AsyncConnection, rows: list[RequestLogRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_text, "PHRASES_MAX", 2)
    assert await found(connection, "team-") == [5, 4, 3, 2, 1, 0]


async def test_numbers_in_errors_are_looked_for_among_the_newest_rows_alone(
    connection: AsyncConnection, rows: list[RequestLogRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_search, "CHUNK_ROWS", 2)
    page = await list_request_logs(connection, ListFilters(search="used 47"), 25, 0)
    assert ([row.api_key_name for row in page.rows], page.total, page.total_is_exact) == (["team-4"], 1, False)
    page = await list_request_logs(connection, ListFilters(search="team-0"), 25, 0)
    assert ([row.api_key_name for row in page.rows], page.total, page.total_is_exact) == (["team-0"], 1, True)


async def test_errors_that_differ_in_numbers_are_one_phrase(connection: AsyncConnection) -> None:
    await insert_request_logs(connection, [a_row(error_message=f"Used {number} of 50000") for number in range(50)])
    phrases = await connection.execute(text("SELECT phrase FROM proxy.request_log_phrases"))
    [phrase] = phrases.scalars()
    assert phrase.endswith("used 0 of 0")


async def test_phrases_go_with_the_last_day_that_had_them(
    connection: AsyncConnection, rows: list[RequestLogRow]
) -> None:
    await insert_request_logs(connection, [a_row(start_time=START + timedelta(days=9)), refusal(0)])
    await drop_days(connection, (START + timedelta(days=3)).date())
    phrases = await connection.execute(text("SELECT count(*) FROM proxy.request_log_phrases"))
    assert phrases.scalar_one() == 4
