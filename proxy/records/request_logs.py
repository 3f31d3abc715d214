"""One row per request, as the proxy writes it and the dashboard shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

RequestStatus = Literal["ok", "rate_limit", "quota", "error", "cancelled"]
RequestSettlement = Literal["finalized", "released", "none", "pending"]

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
