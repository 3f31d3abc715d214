"""What keys were charged over time: quotad's hourly totals, summed to what one picture can show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from dashboard.api.schema import Answer, Moment
from quotad.client.admin import AdminClient
from quotad.client.types import UsageTotal

PAGE_SIZE = 1000
PAGES_MAX = 100
"""Pages of hourly totals read for one answer: a month of one key with twenty models has fifteen."""
SPAN_MAX = timedelta(days=93)
HOURLY_SPAN_MAX = timedelta(days=3)
"""A longer time is shown by days, so that a picture has less than a hundred bars."""
DEFAULT_SPAN = timedelta(hours=24)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""Before any usage."""
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class UsageQuery(BaseModel):
    """The time that is asked for."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True)

    since: Moment | None = Field(default=None, description="24 hours before `until` where it is left out.")
    until: Moment | None = Field(default=None, description="Now where it is left out.")

    @model_validator(mode="after")
    def _is_a_span(self) -> Self:
        if self.until is not None and self.until < EARLIEST:
            raise ValueError(f"until must be after {EARLIEST:%Y}")
        since, until = self.span(datetime.now(UTC))
        if not timedelta() < until - since <= SPAN_MAX:
            raise ValueError(f"since must be before until, by at most {SPAN_MAX.days} days")
        return self

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        until = self.until or now
        return self.since or until - DEFAULT_SPAN, until


class UsageAmount(Answer):
    """What was charged in one step of the time."""

    time: Moment
    """The start of the hour or day, UTC."""
    metric: str
    amount: int


class ModelUsage(Answer):
    """What was charged for one model in the whole time."""

    model: str
    metric: str
    amount: int


class Usage(Answer):
    """What was charged, by time and by model. Steps without a charge are left out."""

    since: Moment
    until: Moment
    step_seconds: int
    """An hour, or a day where the time is long."""
    amounts: list[UsageAmount]
    """By time, then metric."""
    models: list[ModelUsage]
    """By model, then metric."""
    is_complete: bool
    """False where there was more than is read for one answer; the earliest hours are there."""


UsageAsked = Annotated[UsageQuery, Query()]


async def usage_of_keys(admin: AdminClient, api_key_ids: Iterable[str], query: UsageQuery, now: datetime) -> Usage:
    """What these keys were charged, all together."""
    since, until = query.span(now)
    totals: list[UsageTotal] = []
    pages_left = PAGES_MAX
    for api_key_id in api_key_ids:
        page_token = ""
        while pages_left > 0:
            pages_left -= 1
            page = await admin.get_usage(
                start_time=since, end_time=until, api_key_id=api_key_id, page_size=PAGE_SIZE, page_token=page_token
            )
            totals.extend(page.items)
            page_token = page.next_page_token
            if not page_token:
                break
        else:
            return usage_answer(totals, since, until, is_complete=False)
    return usage_answer(totals, since, until, is_complete=True)


def usage_answer(totals: Sequence[UsageTotal], since: datetime, until: datetime, *, is_complete: bool) -> Usage:
    step = HOUR if until - since <= HOURLY_SPAN_MAX else DAY
    by_time: Counter[tuple[datetime, str]] = Counter()
    by_model: Counter[tuple[str, str]] = Counter()
    for total in totals:
        by_time[step_of(total.hour, step), total.metric] += total.amount
        by_model[total.model, total.metric] += total.amount
    return Usage(
        since=since,
        until=until,
        step_seconds=int(step.total_seconds()),
        amounts=[UsageAmount(time=key[0], metric=key[1], amount=amount) for key, amount in sorted(by_time.items())],
        models=[ModelUsage(model=key[0], metric=key[1], amount=amount) for key, amount in sorted(by_model.items())],
        is_complete=is_complete,
    )


def step_of(hour: datetime, step: timedelta) -> datetime:
    """The start of the hour or UTC day that an hour is in."""
    start = hour.astimezone(UTC)
    return start if step == HOUR else start.replace(hour=0)
