"""Refusals: every limit that refused, how often, and samples that explain it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import StreamingResponse

from dashboard import refusing
from dashboard.api.limits import LimitOwner, LimitStatus, WindowText, limit_answer, owner_answer
from dashboard.api.schema import Answer, FilterText, Moment
from dashboard.api.time_range import TimeRange
from dashboard.export import FILES, PAGE_ROWS, Export, Format, Page, Turn, export
from dashboard.key_names import KeyNames
from dashboard.refusing import Fit, RefusingLimit
from dashboard.services import Admin, ServicesNeeded
from quotad.client.admin import AdminClient
from quotad.client.types import BlockedBy, Enforcement, RefusalCount

router = APIRouter(prefix="/api/refusals", tags=["refusals"])

LIMITS_MAX = 100
"""Refusing limits in one answer, those that refused most: nobody reads more at once."""
PAGE_SIZE = 1000


class RefusalFilters(TimeRange):
    """Which refusals are meant: those of the minutes that begin in the range."""

    api_key_id: FilterText = Field(default="", description="Only refusals of this key's requests.")
    limit_id: FilterText = Field(default="", description="Only refusals by this limit.")
    enforcement: Enforcement | None = Field(
        default=None, description="`shadow` tells what shadow limits would have refused."
    )


class RefusalSample(Answer):
    """One refusal, with what explains it."""

    time: Moment
    api_key_id: str
    api_key_name: str | None
    model: str
    requested: int
    """The least that the caller would have accepted."""
    used: int
    held: int
    max_value: int
    """As it was then."""
    blocked_by: BlockedBy
    never_fits: bool
    """It was larger than the whole limit."""
    fit: Fit
    """Whether the same request would fit at the time of this answer, and otherwise what it takes."""
    fit_time: Moment | None
    """When the window resets, where `fit` is `at_reset`."""


class RefusedKey(Answer):
    """How often a limit refused one key."""

    api_key_id: str
    api_key_name: str | None
    refused: int


class RefusalPoint(Answer):
    """How often a limit refused in one part of the range."""

    time: Moment
    refused: int


class RefusedBy(Answer):
    """A limit that refused."""

    limit_id: str
    owner: LimitOwner
    metric: str
    window: WindowText
    time_zone: str
    model_pattern: str
    enforcement: Enforcement
    """As it was: `shadow` refused nothing, and only tells what it would have refused."""
    refused: int
    first_time: Moment
    last_time: Moment
    """The last minute with a refusal."""
    key_count: int
    keys: list[RefusedKey]
    """Those that were refused most."""
    points: list[RefusalPoint]
    """Over the range, in parts of equal length; parts without a refusal are left out."""
    samples: list[RefusalSample]
    """The latest."""
    status: LimitStatus | None
    """As the limit stands at the time of this answer; null where it has been removed."""


class Refusals(Answer):
    """The limits that refused within a range, those that refused most first."""

    limits: list[RefusedBy]
    limit_count: int
    """All of them; the list has those that refused most."""
    refused: int
    """By all limits together; a request that two limits refuse counts twice."""
    since: Moment
    until: Moment
    is_complete: bool
    """False where so much was refused that only the latest part of the range was counted."""


class RefusalRow(Answer):
    """How often one limit refused one key in one minute."""

    minute: Moment
    api_key_id: str
    api_key_name: str | None
    limit_id: str
    owner_id: str
    owner_name: str
    metric: str
    window: WindowText
    model_pattern: str
    max_value: int
    enforcement: Enforcement
    refused: int


@router.get("")
async def list_refusals(query: Annotated[RefusalFilters, Query()], admin: Admin) -> Refusals:
    """List the limits that refused, with how often, whom, and samples that say when it fits."""
    return await read_refusals(admin, query, LIMITS_MAX)


async def read_refusals(admin: AdminClient, query: RefusalFilters, limits_max: int) -> Refusals:
    """The limits that refused most. Raises `InvalidInput`, and what quotad raises."""
    since, until = query.range()
    counts, is_complete = await _counts(admin, query, since, until)
    found = refusing.by_limit(counts, since, until)
    shown = found[:limits_max]
    statuses = await refusing.statuses(admin, shown)
    names = KeyNames(admin)
    await names.load(refusing.key_ids(shown))
    return Refusals(
        limits=[_refused_by(limit, statuses, names) for limit in shown],
        limit_count=len(found),
        refused=sum(limit.refused for limit in found),
        since=since,
        until=until,
        is_complete=is_complete,
    )


@router.get("/export", response_class=StreamingResponse, responses=FILES, dependencies=[Turn])
async def export_refusals(
    query: Annotated[RefusalFilters, Query()], form: Format, admin: Admin, services: ServicesNeeded
) -> Export:
    """Every minute's count as a file, latest first."""
    since, until = query.range()
    names = KeyNames(admin)

    async def read_page(token: str) -> Page[RefusalRow]:
        page = await _page(admin, query, since, until, PAGE_ROWS, token)
        await names.load(count.api_key_id for count in page[0])
        return [_row(count, names) for count in page[0]], page[1]

    return await export(read_page, RefusalRow, form, "refusals", services.settings.export_seconds_max)


async def _counts(
    admin: AdminClient, query: RefusalFilters, since: datetime, until: datetime
) -> tuple[list[RefusalCount], bool]:
    """The latest counts of the range, and whether they are all."""
    counts: list[RefusalCount] = []
    token = ""
    while len(counts) < refusing.COUNTS_MAX:
        page, token = await _page(admin, query, since, until, PAGE_SIZE, token)
        counts += page
        if not token:
            return counts, True
    return counts, False


async def _page(
    admin: AdminClient, query: RefusalFilters, since: datetime, until: datetime, page_size: int, token: str
) -> tuple[tuple[RefusalCount, ...], str]:
    page = await admin.list_refusals(
        start_time=since,
        end_time=until,
        api_key_id=query.api_key_id,
        limit_id=query.limit_id,
        enforcement=query.enforcement,
        page_size=page_size,
        page_token=token,
    )
    return page.items, page.next_page_token


def _refused_by(found: RefusingLimit, statuses: refusing.Statuses, names: KeyNames) -> RefusedBy:
    status = statuses.get(found.limit.limit_id)
    return RefusedBy(
        limit_id=found.limit.limit_id,
        owner=owner_answer(found.owner),
        metric=found.limit.metric,
        window=str(found.limit.window),
        time_zone=found.limit.window.time_zone,
        model_pattern=found.limit.model_pattern,
        enforcement=found.enforcement,
        refused=found.refused,
        first_time=found.first_time,
        last_time=found.last_time,
        key_count=found.key_count,
        keys=[RefusedKey(api_key_id=id_, api_key_name=names.of(id_), refused=many) for id_, many in found.keys],
        points=[RefusalPoint(time=time, refused=many) for time, many in found.points],
        samples=[_sample(sample, status, names) for sample in found.samples],
        status=limit_answer(status) if status else None,
    )


def _sample(sample: refusing.Sample, status: refusing.Status, names: KeyNames) -> RefusalSample:
    refusal = sample.refusal
    fit = refusing.fit_of(refusal.requested, status)
    return RefusalSample(
        time=refusal.time,
        api_key_id=sample.api_key_id,
        api_key_name=names.of(sample.api_key_id),
        model=refusal.model,
        requested=refusal.requested,
        used=refusal.used,
        held=refusal.held,
        max_value=refusal.max_value,
        blocked_by=refusal.blocked_by,
        never_fits=refusal.never_fits,
        fit=fit,
        fit_time=status.reset_time if status and fit is Fit.AT_RESET else None,
    )


def _row(count: RefusalCount, names: KeyNames) -> RefusalRow:
    return RefusalRow(
        minute=count.minute,
        api_key_id=count.api_key_id,
        api_key_name=names.of(count.api_key_id),
        limit_id=count.limit.limit_id,
        owner_id=count.owner.group_id or count.owner.api_key_id,
        owner_name=count.owner.name,
        metric=count.limit.metric,
        window=str(count.limit.window),
        model_pattern=count.limit.model_pattern,
        max_value=count.limit.max_value,
        enforcement=count.enforcement,
        refused=count.refused,
    )
