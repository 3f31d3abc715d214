"""Tables as files: CSV (RFC 4180) or JSON, written row by row as they are read, so that memory stays bounded.

An error before the first row is an answer like any other; one after it cuts the connection, so that nobody takes half
a table for the whole.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from dashboard.api.schema import NO_OTHER_ANSWER, Answer
from dashboard.services import ServicesNeeded

Row = TypeVar("Row", bound=Answer)
Page = tuple[Sequence[Row], str]
"""Some rows, and the token of the next page, empty on the last one."""
ReadPage = Callable[[str], Awaitable[Page[Row]]]

PAGE_ROWS = 500
"""Rows in memory at a time."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet computes what begins so; a quote before it makes it text."""


class ExportFormat(StrEnum):
    """How a table is written."""

    CSV = "csv"
    JSON = "json"


async def take_turn(services: ServicesNeeded) -> AsyncIterator[None]:
    """Held until the last byte was sent."""
    with services.export_turns.taken():
        yield


Turn = Depends(take_turn)
Format = Annotated[ExportFormat, Query(alias="format", description="csv has a row per line; json is one array.")]
FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The table as a file",
        "content": {"text/csv": {"schema": {"type": "string"}}, "application/json": {"schema": {"type": "array"}}},
    },
    **NO_OTHER_ANSWER,
}
"""For `responses` of a route that exports."""


class Export(StreamingResponse):
    """A table on its way; cut off after `seconds_max`, however slowly it is read."""

    def __init__(self, rows: AsyncIterator[bytes], form: ExportFormat, name: str, seconds_max: float) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        super().__init__(
            rows,
            media_type="text/csv; charset=utf-8; header=present" if form is ExportFormat.CSV else "application/json",
            headers={"Content-Disposition": f'attachment; filename="{name}-{stamp}.{form.value}"'},
        )
        self._seconds_max = seconds_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with asyncio.timeout(self._seconds_max):
            await super().__call__(scope, receive, send)


async def export(read_page: ReadPage[Row], row: type[Row], form: ExportFormat, name: str, seconds_max: float) -> Export:
    """The table that `read_page` gives from an empty token on. Raises what reading its first page raises."""
    first = await read_page("")
    pages = _pages(read_page, first)
    return Export(_csv(pages, row) if form is ExportFormat.CSV else _json(pages), form, name, seconds_max)


async def _pages(read_page: ReadPage[Row], first: Page[Row]) -> AsyncIterator[Sequence[Row]]:
    rows, token = first
    yield rows
    while token:
        rows, token = await read_page(token)
        yield rows


async def _csv(pages: AsyncIterator[Sequence[Row]], row: type[Row]) -> AsyncIterator[bytes]:
    names = [field.alias or name for name, field in row.model_fields.items()]
    yield csv_lines([names])
    async for rows in pages:
        yield csv_lines([_cells(one, names) for one in rows])


async def _json(pages: AsyncIterator[Sequence[Row]]) -> AsyncIterator[bytes]:
    before = "["
    async for rows in pages:
        text = ""
        for one in rows:
            text += f"{before}\n{one.model_dump_json(by_alias=True)}"
            before = ","
        yield text.encode()
    yield b"[]\n" if before == "[" else b"\n]\n"


def csv_lines(rows: Sequence[Sequence[object]]) -> bytes:
    """Lines of RFC 4180, in which nothing is a formula."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([[cell(value) for value in row] for row in rows])
    return text.getvalue().encode("utf-8", "replace")


def cell(value: object) -> str:
    """A value as a spreadsheet takes it without computing it; what has parts is written as JSON."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case str():
            return f"'{value}" if value.startswith(FORMULA_STARTS) else value
        case _:
            return json.dumps(value, ensure_ascii=False)


def _cells(row: Answer, names: Sequence[str]) -> list[object]:
    values: Mapping[str, object] = row.model_dump(mode="json", by_alias=True)
    return [values[name] for name in names]
