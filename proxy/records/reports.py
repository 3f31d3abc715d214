"""Sums over the request log for charts and overviews, read from its totals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from sqlalchemy import BigInteger, ColumnElement, RowMapping, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.records.log_filters import plan_by_values
from proxy.records.tables import MEASURES, request_totals

REFUSED = ("rate_limit", "quota")


class Bucket(IntEnum):
    """The spans of time that totals are kept for, in seconds."""

    MINUTE = 60
    HOUR = 3_600
    DAY = 86_400


@dataclass(frozen=True, slots=True)
class Usage:
    """What a number of requests came to. What no upstream reported, and what has no known price, counts as 0."""

    request_count: int = 0
    """Requests, those included that share a row."""
    refused_count: int = 0
    """Refused by a limit of their key or group."""
    error_count: int = 0
    """Failed for another reason."""
    cancelled_count: int = 0
    """Left by their callers."""
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    total_tokens: int = 0
    cost_microusd: int = 0


@dataclass(frozen=True, slots=True)
class UsagePoint:
    """The usage of the span of time that begins then."""

    start_time: datetime
    usage: Usage


async def usage_over_time(
    connection: AsyncConnection, since: datetime, until: datetime, bucket: Bucket
) -> Sequence[UsagePoint]:
    """Usage of each span that lies wholly or partly in the range, oldest first; spans without requests are left out."""
    await plan_by_values(connection)
    time = request_totals.c.bucket_time
    query = select(time, *_sums()).where(*_conditions(since, until, bucket)).group_by(time).order_by(time)
    found = (await connection.execute(query)).mappings()
    return [UsagePoint(row["bucket_time"], _usage(row)) for row in found]


async def usage_in_all(connection: AsyncConnection, since: datetime, until: datetime, bucket: Bucket) -> Usage:
    """The sum of the same spans."""
    points = await usage_over_time(connection, since, until, bucket)
    names = Usage.__dataclass_fields__
    return Usage(**{name: sum(getattr(point.usage, name) for point in points) for name in names})


def _conditions(since: datetime, until: datetime, bucket: Bucket) -> list[ColumnElement[bool]]:
    totals = request_totals.c
    return [
        totals.span_seconds == int(bucket),
        totals.by_key.is_(False),
        totals.api_key_id.is_(None),
        totals.bucket_time > since - timedelta(seconds=bucket),
        totals.bucket_time < until,
    ]


def _sums() -> list[ColumnElement[int]]:
    totals = request_totals.c
    count = totals.request_count
    told_apart = {
        "refused_count": totals.status.in_(REFUSED),
        "error_count": totals.status == "error",
        "cancelled_count": totals.status == "cancelled",
    }
    counts = (func.coalesce(func.sum(count).filter(which), 0).label(name) for name, which in told_apart.items())
    sums = (func.sum(totals[name]).label(name) for name in MEASURES)
    return [cast(each, BigInteger).label(each.name) for each in (*counts, *sums)]


def _usage(row: RowMapping) -> Usage:
    return Usage(**{name: row[name] for name in Usage.__dataclass_fields__})
