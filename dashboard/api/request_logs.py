"""The request log: pages under filters, and what can be filtered by.

Filters of the list and of its facets are two types: facets know no status, so a status that is sent is ignored.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel
from starlette.responses import StreamingResponse

from dashboard.api.schema import Answer, FilterText, Moment
from dashboard.export import FILES, PAGE_ROWS, Export, Format, Page, Turn, export
from dashboard.services import ServicesNeeded
from proxy.records import log_pages
from proxy.records.log_options import request_log_options
from proxy.records.request_logs import (
    FacetFilters,
    ListFilters,
    RequestLogPage,
    RequestLogRow,
    RequestSettlement,
    RequestStatus,
)

router = APIRouter(prefix="/api/request-logs", tags=["request-logs"])

LIMIT_MAX = 200
OFFSET_MAX = 1_000_000_000
"""More rows than a log can hold; far within the database's numbers."""
VALUES_MAX = 100
"""Values of one filter in one request."""

Values = Annotated[list[FilterText], Field(max_length=VALUES_MAX)]


class FacetQuery(BaseModel):
    """What narrows the facets."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True)

    search: FilterText = Field(
        default="", description="Part of a name, model, path or error, or the beginning of an id, in any case."
    )
    since: Moment | None = Field(default=None, description="Requests that started at or after this time.")
    until: Moment | None = Field(default=None, description="Requests that started before this time.")
    account_id: Values = Field(default=[], description="Any of these accounts.")
    api_key_id: Values = Field(default=[], description="Any of these keys.")
    model: Values = Field(default=[], description="Any of these models.")

    def facet_filters(self) -> FacetFilters:
        return FacetFilters(
            search=self.search,
            since=self.since,
            until=self.until,
            account_ids=tuple(self.account_id),
            api_key_ids=tuple(self.api_key_id),
            models=tuple(self.model),
        )


class ListFilterQuery(FacetQuery):
    """What narrows the list."""

    status: Annotated[list[RequestStatus], Field(max_length=VALUES_MAX)] = Field(
        default=[], description="Any of these outcomes."
    )

    def list_filters(self) -> ListFilters:
        return ListFilters(
            search=self.search,
            since=self.since,
            until=self.until,
            account_ids=tuple(self.account_id),
            api_key_ids=tuple(self.api_key_id),
            models=tuple(self.model),
            statuses=tuple(self.status),
        )


class ListQuery(ListFilterQuery):
    """What narrows the list, and which page of it is asked for."""

    limit: int = Field(default=25, ge=1, le=LIMIT_MAX)
    offset: int = Field(default=0, ge=0, le=OFFSET_MAX)


class Attempt(Answer):
    """One try at one account."""

    account_name: str
    outcome: str
    http_status: int | None
    error_code: str | None
    duration_ms: int


class RequestLog(Answer):
    """What became of one request. Token counts are null where no report was read, never 0 for unknown."""

    request_log_id: str
    request_id: str
    reservation_id: str | None
    tenant_id: str | None
    api_key_id: str | None
    api_key_name: str | None
    account_id: str | None
    account_name: str | None
    path: str
    model: str
    stream: bool
    status: RequestStatus
    http_status: int
    error_code: str | None
    error_message: str | None
    input_tokens: int | None
    cached_input_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    total_tokens: int | None
    basis: str | None
    settlement: RequestSettlement
    attempts: list[Attempt]
    start_time: Moment
    first_byte_ms: int | None
    duration_ms: int
    client_address: str | None
    user_agent: str | None
    denial: dict[str, JsonValue] | None
    """The limits that refused, where one did."""
    cost_microusd: int | None
    """Millionths of a US dollar; null where the price or the use is not known."""
    retry_count: int | None
    """Which retry it was, as the caller's SDK says."""
    limit_id: str | None
    """The first of the limits that refused."""
    count: int
    """How many requests the row stands for: more than one for refusals that came too fast for a row each."""


class RequestLogs(Answer):
    """One page of the log, newest first."""

    requests: list[RequestLog]
    total: int
    """Rows under these filters, on all pages."""
    total_is_exact: bool
    """False only for free text over very many rows: there are at least `total`."""
    has_more: bool


class Choice(Answer):
    """Something that can be filtered by."""

    id: str
    name: str


class RequestLogOptions(Answer):
    """What occurs in the log under the other filters."""

    accounts: list[Choice]
    api_keys: list[Choice]
    models: list[str]
    statuses: list[RequestStatus]


@router.get("")
async def list_request_logs(query: Annotated[ListQuery, Query()], services: ServicesNeeded) -> RequestLogs:
    """List requests, newest first, with the exact total under the filters."""
    async with services.database.snapshot() as connection:
        page = await log_pages.list_request_logs(connection, query.list_filters(), query.limit, query.offset)
    return RequestLogs(
        requests=[request_log_answer(row) for row in page.rows],
        total=page.total,
        total_is_exact=page.total_is_exact,
        has_more=has_more(page, query.limit, query.offset),
    )


@router.get("/export", response_class=StreamingResponse, responses=FILES, dependencies=[Turn])
async def export_request_logs(
    query: Annotated[ListFilterQuery, Query()], form: Format, services: ServicesNeeded
) -> Export:
    """The log under the filters as a file, newest first."""

    async def read_page(token: str) -> Page[RequestLog]:
        async with services.database.transaction() as connection:
            rows = await log_pages.list_rows_after(connection, query.list_filters(), _place(token), PAGE_ROWS)
        last = rows[-1] if len(rows) == PAGE_ROWS else None
        following = f"{last.start_time.isoformat()} {last.request_log_id}" if last else ""
        return [request_log_answer(row) for row in rows], following

    return await export(read_page, RequestLog, form, "requests", services.settings.export_seconds_max)


@router.get("/options")
async def get_request_log_options(query: Annotated[FacetQuery, Query()], services: ServicesNeeded) -> RequestLogOptions:
    """List what can be filtered by under the other filters; a status never narrows its own facet and is ignored."""
    async with services.database.snapshot() as connection:
        found = await request_log_options(connection, query.facet_filters())
    return RequestLogOptions(
        accounts=[Choice(id=id_, name=name) for id_, name in found.accounts],
        api_keys=[Choice(id=id_, name=name) for id_, name in found.api_keys],
        models=list(found.models),
        statuses=list(found.statuses),
    )


def _place(token: str) -> log_pages.Place | None:
    if not token:
        return None
    start_time, request_log_id = token.split()
    return log_pages.Place(datetime.fromisoformat(start_time), request_log_id)


def request_log_answer(row: RequestLogRow) -> RequestLog:
    values = {name: getattr(row, name) for name in RequestLog.model_fields}
    return RequestLog.model_validate(values | {"denial": in_camel_case(row.denial)})


def in_camel_case(value: object) -> object:
    """A document with its names as this API spells them; what a refusal holds is the proxy's to say."""
    match value:
        case dict():
            return {to_camel(name): in_camel_case(inner) for name, inner in value.items()}
        case list():
            return [in_camel_case(inner) for inner in value]
        case _:
            return value


def has_more(page: RequestLogPage, limit: int, offset: int) -> bool:
    """Whether a next page has rows; under a capped total a full page is the only hint."""
    if page.total_is_exact:
        return offset + len(page.rows) < page.total and bool(page.rows)
    return len(page.rows) == limit
