"""What was charged, by the hour of settlement: the totals, and what is not in them yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from quotad.core.validation import check_id
from quotad.errors import InvalidRequest
from quotad.records import Page, UsageTotal
from quotad.store import statements_records as statements
from quotad.store.connections import Connections
from quotad.store.pages import check_page_size, page_token, read_page_token, read_time_text, time_text

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """Which totals: of the hours that `start` to `end` touch."""

    tenant_id: str
    start: datetime
    end: datetime
    api_key_id: str = ""
    model: str = ""
    metric: str = ""


class Usage:
    """The usage of all tenants."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def list(self, query: UsageQuery, page_size: int, token: str) -> Page[UsageTotal]:
        """The earliest hour first; exact at every moment, also while rows are rolled up and purged."""
        check_id("tenant_id", query.tenant_id)
        check_page_size(page_size)
        first = time_text(datetime.min.replace(tzinfo=UTC))
        hour, *place = (str(part) for part in read_page_token(token, (first, "", "", "")))
        async with self._connections.acquire() as connection:
            rows = await connection.fetch(
                statements.USAGE,
                query.tenant_id,
                hour_of(query.start),
                hour_after(query.end),
                query.api_key_id,
                query.model,
                query.metric,
                read_time_text(hour),
                *place,
                page_size + 1,
            )
        totals = tuple(UsageTotal(**dict(row)) for row in rows)
        return Page(totals[:page_size], _next(totals, page_size))


def hour_of(time: datetime) -> datetime:
    """The start of the hour that a time lies in."""
    return time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def hour_after(time: datetime) -> datetime:
    """The first start of an hour that is not before a time."""
    hour = hour_of(time)
    try:
        return hour if hour == time else hour + HOUR
    except OverflowError as exc:
        raise InvalidRequest("end_time", "the time is out of range") from exc


def _next(totals: tuple[UsageTotal, ...], page_size: int) -> str:
    if len(totals) <= page_size:
        return ""
    last = totals[page_size - 1]
    return page_token(time_text(last.hour), last.api_key_id, last.model, last.metric)
