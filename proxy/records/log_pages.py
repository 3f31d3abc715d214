"""Pages of the request log with their totals."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import RowMapping, Select, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.records.log_filters import plan_by_values, row_conditions, stretches
from proxy.records.log_search import search
from proxy.records.log_spans import place
from proxy.records.log_text import match_text
from proxy.records.request_logs import SEARCH_TOTAL_MAX, AttemptRow, ListFilters, RequestLogPage, RequestLogRow
from proxy.records.tables import NEWEST_FIRST, request_logs

ROW_FIELDS = tuple(field.name for field in fields(RequestLogRow))
ROW_COLUMNS = tuple(request_logs.c[name] for name in ROW_FIELDS)


class Place(NamedTuple):
    """A row's place in the order of the list."""

    start_time: datetime
    id: str


async def list_request_logs(
    connection: AsyncConnection, filters: ListFilters, limit: int, offset: int
) -> RequestLogPage:
    """A page, newest first, and the total, also past the last page; of one moment where the transaction has a snapshot.

    The totals say between which moments the page lies, so that its rows are found as fast on the last page as on the
    first, and for a key that was used last weeks ago.
    """
    await plan_by_values(connection)
    if filters.search:
        return await _searched_page(connection, filters, limit, offset)
    found = await stretches(connection, filters)
    where = place(found, limit, offset)
    rows: tuple[RequestLogRow, ...] = ()
    if where is not None:
        matching = select(*ROW_COLUMNS).where(*row_conditions(filters, where.low, where.high))
        rows = await _newest(connection, matching, limit, where.offset)
    return RequestLogPage(rows, sum(stretch.row_count for stretch in found), True)


async def list_rows_after(
    connection: AsyncConnection, filters: ListFilters, after: Place | None, limit: int
) -> tuple[RequestLogRow, ...]:
    """The newest rows under the filters, or those that follow one in that order: to read a log piece by piece."""
    await plan_by_values(connection)
    conditions = row_conditions(filters, filters.since, filters.until)
    if filters.search:
        conditions.append((await match_text(connection, filters.search)).condition())
    if after is not None:
        logs = request_logs.c
        last = tuple_(literal(after.start_time, logs.start_time.type), literal(after.id, logs.request_log_id.type))
        conditions += [tuple_(logs.start_time, logs.request_log_id) < last, logs.start_time <= after.start_time]
    return await _newest(connection, select(*ROW_COLUMNS).where(*conditions), limit, 0)


async def newest_request_log(connection: AsyncConnection) -> str | None:
    """The id of the row that an unfiltered list begins with; None while the log is empty."""
    newest = select(request_logs.c.request_log_id).order_by(*NEWEST_FIRST).limit(1)
    found: str | None = (await connection.execute(newest)).scalar()
    return found


async def _searched_page(connection: AsyncConnection, filters: ListFilters, limit: int, offset: int) -> RequestLogPage:
    found = await search(connection, filters, max(SEARCH_TOTAL_MAX, offset + limit))
    where = place(found.matches, limit, offset)
    rows: tuple[RequestLogRow, ...] = ()
    if where is not None:
        rows = await _newest(connection, found.select(ROW_COLUMNS, where), limit, where.offset)
    is_exact = found.is_all and found.count <= SEARCH_TOTAL_MAX
    return RequestLogPage(rows, min(found.count, SEARCH_TOTAL_MAX), is_exact)


async def _newest(
    connection: AsyncConnection, matching: Select[Any], limit: int, offset: int
) -> tuple[RequestLogRow, ...]:
    columns = matching.selected_columns
    page = matching.order_by(columns.start_time.desc(), columns.request_log_id.desc()).limit(limit).offset(offset)
    return tuple(_row(row) for row in (await connection.execute(page)).mappings())


def _row(row: RowMapping) -> RequestLogRow:
    values = {name: row[name] for name in ROW_FIELDS}
    values["attempts"] = tuple(AttemptRow(**attempt) for attempt in values["attempts"])
    return RequestLogRow(**values)
