"""The overview: what happened within a range, and how everything stands at the moment of the answer."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from dashboard.account_windows import AccountWindow, account_windows
from dashboard.api.rate_limits import OwnedLimit, owned_limit
from dashboard.api.refusals import RefusalFilters, RefusedBy, read_refusals
from dashboard.api.reservations import Reservation, reservation_answer
from dashboard.api.schema import Answer, Moment
from dashboard.api.time_range import TimeRange
from dashboard.holding import by_age
from dashboard.key_names import KeyNames
from dashboard.services import Admin, ServicesNeeded
from proxy.records.changes import listening_proxies
from proxy.records.reports import Bucket, Usage, UsagePoint, usage_over_time
from quotad.client.admin import AdminClient
from quotad.client.types import OutcomeUnknown
from quotad.errors import QuotaError

router = APIRouter(prefix="/api/overview", tags=["overview"])

MINUTES_UP_TO = timedelta(hours=6)
HOURS_UP_TO = timedelta(days=14)
"""Longer ranges are told by the day: a chart has room for some hundred points."""
FULLEST = 8
OLDEST = 5
HOLDS_MAX = 1000
"""Open holds that are looked at, the oldest first."""
REFUSING_SINCE = timedelta(minutes=15)
"""What refuses at present: a client that was refused comes back within minutes."""
REFUSING = 5


class Totals(Answer):
    """What a number of requests came to. What no upstream reported counts as 0."""

    request_count: int
    refused_count: int
    """Refused by a limit."""
    error_count: int
    """Failed for another reason."""
    cancelled_count: int
    """Left by their callers."""
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    total_tokens: int
    cost_microusd: int


class UsageSpan(Totals):
    """The usage of one span of time."""

    time: Moment
    """When it begins."""


class HoldAge(Answer):
    """Open holds of about one age."""

    age_min_seconds: int
    """They are at least so old, and younger than the next group."""
    count: int


class OpenHolds(Answer):
    """What open requests hold."""

    count: int
    is_complete: bool
    """False where there are more, all of them younger than those that were counted."""
    by_age: list[HoldAge]
    oldest: list[Reservation]


class Ledger(Answer):
    """How quotad's limits stand."""

    limits: list[OwnedLimit]
    """The fullest."""
    refusing: list[RefusedBy]
    """Limits that refused within the last quarter of an hour."""
    holds: OpenHolds


class PartHealth(Answer):
    """Whether a part of the product answers."""

    part: Literal["quotad", "database", "proxies"]
    is_well: bool
    latency_ms: int | None
    """Of the question that was asked; null where none was answered."""
    message: str


class Overview(Answer):
    """One look at everything."""

    since: Moment
    until: Moment
    span_seconds: int
    """Length of each point; the first and the last may lie partly outside of the range."""
    usage: Totals
    """Of all points together."""
    points: list[UsageSpan]
    """Oldest first; spans without requests are left out."""
    account_windows: list[AccountWindow]
    ledger: Ledger | None
    """Null while quotad does not answer."""
    health: list[PartHealth]


@router.get("")
async def get_overview(query: Annotated[TimeRange, Query()], admin: Admin, services: ServicesNeeded) -> Overview:
    """Requests, tokens, cost, errors and refusals over time; limits, holds, accounts and health as they stand."""
    since, until = query.range()
    bucket = bucket_of(until - since)
    begun = time.monotonic()
    (ledger, of_quotad), (points, windows, of_database, of_proxies) = await asyncio.gather(
        _ledger(admin, begun), _records(services, since, until, bucket, begun)
    )
    spans = [UsageSpan(time=point.start_time, **_counts(point.usage)) for point in points]
    return Overview(
        since=since,
        until=until,
        span_seconds=int(bucket),
        usage=_sum(spans),
        points=spans,
        account_windows=windows,
        ledger=ledger,
        health=[of_quotad, of_database, of_proxies],
    )


def bucket_of(length: timedelta) -> Bucket:
    """The longest spans that still show the course of a range."""
    if length <= MINUTES_UP_TO:
        return Bucket.MINUTE
    return Bucket.HOUR if length <= HOURS_UP_TO else Bucket.DAY


async def _ledger(admin: AdminClient, begun: float) -> tuple[Ledger | None, PartHealth]:
    """What quotad says, or that it does not."""
    now = datetime.now(UTC)
    recent = RefusalFilters(since=now - REFUSING_SINCE, until=now)
    try:
        limits, (latency_ms, holds), refusals = await asyncio.gather(
            admin.list_limits(page_size=FULLEST), _holds(admin, begun), read_refusals(admin, recent, REFUSING)
        )
    except (QuotaError, OutcomeUnknown):
        return None, PartHealth(part="quotad", is_well=False, latency_ms=None, message="It does not answer.")
    ledger = Ledger(limits=[owned_limit(status) for status in limits.items], refusing=refusals.limits, holds=holds)
    return ledger, PartHealth(part="quotad", is_well=True, latency_ms=latency_ms, message="It answers.")


async def _holds(admin: AdminClient, begun: float) -> tuple[int, OpenHolds]:
    page = await admin.list_reservations(page_size=HOLDS_MAX)
    latency_ms = _since(begun)
    now, oldest, names = page.server_time, page.reservations[:OLDEST], KeyNames(admin)
    await names.load(held.api_key_id for held in oldest)
    ages = by_age([(now - held.create_time).total_seconds() for held in page.reservations])
    return latency_ms, OpenHolds(
        count=len(page.reservations),
        is_complete=not page.next_page_token,
        by_age=[HoldAge(age_min_seconds=begin, count=count) for begin, count in ages],
        oldest=[reservation_answer(held, names, now) for held in oldest],
    )


async def _records(
    services: ServicesNeeded, since: datetime, until: datetime, bucket: Bucket, begun: float
) -> tuple[list[UsagePoint], list[AccountWindow], PartHealth, PartHealth]:
    async with services.database.transaction() as connection:
        listening = await listening_proxies(connection)
        latency_ms = _since(begun)
        points = await usage_over_time(connection, since, until, bucket)
        windows = await account_windows(connection, datetime.now(UTC))
    database = PartHealth(part="database", is_well=True, latency_ms=latency_ms, message="It answers.")
    are = "1 follows changes." if listening == 1 else f"{listening} follow changes."
    proxies = PartHealth(part="proxies", is_well=listening > 0, latency_ms=None, message=are)
    return list(points), windows, database, proxies


def _since(begun: float) -> int:
    return round((time.monotonic() - begun) * 1000)


def _counts(usage: Usage) -> dict[str, int]:
    return {name: getattr(usage, name) for name in Totals.model_fields}


def _sum(spans: list[UsageSpan]) -> Totals:
    return Totals(**{name: sum(getattr(span, name) for span in spans) for name in Totals.model_fields})
