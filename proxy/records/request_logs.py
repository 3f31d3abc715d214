"""One row per request, or per burst of refusals, as the proxy writes it and the dashboard shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

RequestStatus = Literal["ok", "rate_limit", "quota", "error", "cancelled"]
RequestSettlement = Literal["finalized", "released", "none", "pending"]

SEARCH_TOTAL_MAX = 10_000
"""Most matches of free text that are counted: it reads every row, and nobody turns so many pages."""
OPTIONS_MAX = 1_000
"""Most options of one filter; more do not help in choosing."""

STATUSES: tuple[RequestStatus, ...] = ("ok", "rate_limit", "quota", "error", "cancelled")


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One try at one account."""

    account_name: str
    outcome: str
    http_status: int | None
    error_code: str | None
    duration_ms: int


@dataclass(frozen=True, slots=True)
class RequestLogRow:
    """What became of one request. Token counts are None where no report was read, never 0 for unknown."""

    request_log_id: str
    """A UUID of version 7."""
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
    """On what the charge rests: `reported`, `estimated`, `reserved` or `none`."""
    settlement: RequestSettlement
    attempts: tuple[AttemptRow, ...]
    start_time: datetime
    first_byte_ms: int | None
    duration_ms: int
    client_address: str | None
    user_agent: str | None
    denial: Mapping[str, object] | None
    """The limits that refused, where one did."""
    cost_microusd: int | None = None
    retry_count: int | None = None
    """Which retry of an SDK it was, as the SDK says: 0 for the first try, None where nothing was said."""
    limit_id: str | None = None
    """The first of the limits that refused."""
    count: int = 1
    """How many requests the row stands for: more than one for refusals that came too fast for a row each."""


@dataclass(frozen=True, slots=True)
class FacetFilters:
    """What narrows the options of the list's filters. There is no status: that facet never filters itself."""

    search: str = ""
    """Free text in any case: a part of a name, the path, the model or the error, or the beginning of an id."""
    since: datetime | None = None
    """Requests that started then or later."""
    until: datetime | None = None
    """Requests that started before."""
    account_ids: tuple[str, ...] = ()
    api_key_ids: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListFilters:
    """What narrows the list: every filter given must match, any value of a filter may."""

    search: str = ""
    since: datetime | None = None
    until: datetime | None = None
    account_ids: tuple[str, ...] = ()
    api_key_ids: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestLogPage:
    """A page of the list and how many rows the filters match."""

    rows: tuple[RequestLogRow, ...]
    total: int
    total_is_exact: bool
    """False only for free text that matches more than `SEARCH_TOTAL_MAX` rows, which is then the total."""


class Option(NamedTuple):
    """A value of a filter, and how to show it."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class RequestLogOptions:
    """The values that occur under the other filters, sorted by what is shown; at most `OPTIONS_MAX` of each."""

    accounts: tuple[Option, ...]
    api_keys: tuple[Option, ...]
    models: tuple[str, ...]
    statuses: tuple[RequestStatus, ...]
