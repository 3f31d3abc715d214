"""Filters of the request log as conditions on its rows and on its totals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    Select,
    cast,
    func,
    literal,
    select,
    text,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.records.log_spans import DAY_SECONDS, KEY_SPANS, SPANS, Part, Stretch, cover, within_reach
from proxy.records.request_logs import FacetFilters, ListFilters
from proxy.records.tables import request_logs, request_totals
from proxy.records.texts import storable

PLANNING = "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true)"

Filters = ListFilters | FacetFilters


async def plan_by_values(connection: AsyncConnection) -> None:
    """For the rest of the transaction: plans for the given times and terms, which differ by factors of thousands."""
    await connection.execute(text(PLANNING))


def row_conditions(filters: Filters, low: datetime | None, high: datetime | None) -> list[ColumnElement[bool]]:
    """What a row within the moments must satisfy beside free text. The filters' own range is not looked at."""
    conditions = [_is_any(request_logs.c[name], values) for name, values in _chosen(filters)]
    return conditions + _within(request_logs.c.start_time, low, high)


def parts(filters: Filters, *, by_key: bool) -> Iterator[Part]:
    """What makes up the filters' range: totals, by key where one is asked for, and edges."""
    return cover(filters.since, filters.until, KEY_SPANS if by_key else SPANS)


def total_conditions(filters: Filters, part: Part, *, by_key: bool) -> list[ColumnElement[bool]]:
    """Which totals make up a part under the filters; never for free text."""
    totals = request_totals.c
    conditions = [totals.span_seconds == part.span_seconds, totals.by_key.is_(by_key)]
    if not by_key:
        conditions.append(totals.api_key_id.is_(None))
    conditions += [_is_any(totals[name], values) for name, values in _chosen(filters)]
    return conditions + _within(totals.bucket_time, part.low, part.high)


async def stretches(connection: AsyncConnection, filters: Filters) -> list[Stretch]:
    """How many rows match the structured filters, span by span, newest first; their sum is exact."""
    by_key = bool(filters.api_key_ids)
    selects = [_counts(filters, part, by_key=by_key) for part in parts(filters, by_key=by_key)]
    if not selects:
        return []
    found = await connection.execute(union_all(*selects))
    counted = (Stretch(row.low, row.high, row.row_count) for row in found if row.row_count)
    return sorted(counted, key=lambda stretch: stretch.low, reverse=True)


async def days(connection: AsyncConnection, filters: Filters) -> list[Stretch]:
    """The days of the filters' range that have rows under the structured filters, newest first, cut to the range.

    A day that is cut may have fewer rows in the range than are told here.
    """
    by_key = bool(filters.api_key_ids)
    since, until = within_reach(filters.since), within_reach(filters.until)
    whole = Part(DAY_SECONDS, None if since is None else since - timedelta(seconds=DAY_SECONDS), until)
    counted = await connection.execute(_counts(filters, whole, by_key=by_key))
    cut = (Stretch(max(row.low, since or row.low), min(row.high, until or row.high), row.row_count) for row in counted)
    return sorted((day for day in cut if day.low < day.high), key=lambda day: day.low, reverse=True)


def _counts(filters: Filters, part: Part, *, by_key: bool) -> Select[datetime, datetime, int]:
    if part.span_seconds is None:
        low, high = (cast(literal(moment), DateTime(timezone=True)).label(name) for moment, name in _ends(part))
        conditions = row_conditions(filters, part.low, part.high)
        return select(low, high, func.count().label("row_count")).select_from(request_logs).where(*conditions)
    bucket = request_totals.c.bucket_time
    span = func.make_interval(0, 0, 0, 0, 0, 0, part.span_seconds)
    rows = cast(func.sum(request_totals.c.row_count), BigInteger)
    return (
        select(bucket.label("low"), (bucket + span).label("high"), rows.label("row_count"))
        .where(*total_conditions(filters, part, by_key=by_key))
        .group_by(bucket)
    )


def _ends(part: Part) -> tuple[tuple[datetime | None, str], tuple[datetime | None, str]]:
    return (part.low, "low"), (part.high, "high")


def _chosen(filters: Filters) -> Iterator[tuple[str, Sequence[str]]]:
    chosen = {"account_id": filters.account_ids, "api_key_id": filters.api_key_ids, "model": filters.models}
    if isinstance(filters, ListFilters):
        chosen["status"] = filters.statuses
    return ((name, values) for name, values in chosen.items() if values)


def _within(column: Column[datetime], low: datetime | None, high: datetime | None) -> list[ColumnElement[bool]]:
    at_least = [] if low is None else [column >= low]
    return at_least if high is None else [*at_least, column < high]


def _is_any(column: Column[str], values: Sequence[str]) -> ColumnElement[bool]:
    return column.in_([storable(value, len(value)) for value in values])
