"""One request's row in the request log, from what its task knows at the end. Pure but for its id."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from uuid_utils import uuid7

from proxy.errors import ProxyError, QuotaRefused
from proxy.metering.usage import Terminal, Usage
from proxy.records.accounts import Account
from proxy.records.request_logs import AttemptRow, RequestLogRow, RequestSettlement, RequestStatus
from proxy.requests.types import ProxyRequest
from quotad.client.types import Denial, ReservationState, Violation

CLIENT_CLOSED_REQUEST = 499
"""What nginx logs where nobody waited for the answer; no such status is ever sent."""
SETTLEMENTS: dict[ReservationState, RequestSettlement] = {
    ReservationState.FINALIZED: "finalized",
    ReservationState.RELEASED: "released",
}


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What became of one request."""

    reservation_id: str | None
    tenant_id: str | None
    api_key_id: str | None
    account: Account | None
    attempts: tuple[AttemptRow, ...]
    http_status: int | None
    """What was sent; None where nothing was."""
    error: ProxyError | None
    terminal: Terminal | None
    has_left: bool
    usage: Usage | None
    basis: str | None
    has_settlement: bool
    settled: ReservationState | None
    first_byte_time: datetime | None
    end_time: datetime
    cost_microusd: int | None = None
    """What was charged for it; None where nothing was, and where the model's price is not known."""


def request_row(request: ProxyRequest, facts: RequestFacts) -> RequestLogRow:
    """The row."""
    usage = facts.usage
    key = request.key.api_key if request.key else None
    error_code, error_message = _error(facts)
    denial = facts.error.denial if isinstance(facts.error, QuotaRefused) else None
    return RequestLogRow(
        request_log_id=str(uuid7()),
        request_id=request.request_id,
        reservation_id=facts.reservation_id,
        tenant_id=facts.tenant_id or (key.tenant_id if key else None),
        api_key_id=facts.api_key_id or (key.api_key_id if key else None),
        api_key_name=key.name if key else None,
        account_id=facts.account.account_id if facts.account else None,
        account_name=facts.account.name if facts.account else None,
        path=request.path,
        model=request.model,
        stream=request.stream,
        status=_status(facts),
        http_status=_http_status(facts),
        error_code=error_code,
        error_message=error_message,
        input_tokens=usage.input_tokens if usage else None,
        cached_input_tokens=usage.cached_input_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
        reasoning_tokens=usage.reasoning_tokens if usage else None,
        total_tokens=usage.total_tokens if usage else None,
        basis=facts.basis,
        settlement=_settlement(facts),
        attempts=facts.attempts,
        start_time=request.start_time,
        first_byte_ms=_milliseconds(request.start_time, facts.first_byte_time) if facts.first_byte_time else None,
        duration_ms=_milliseconds(request.start_time, facts.end_time),
        client_address=request.client_address,
        user_agent=request.user_agent,
        denial=denial_fields(denial) if denial else None,
        cost_microusd=facts.cost_microusd,
        retry_count=request.retry_count,
        limit_id=denial.violations[0].status.limit.limit_id if denial and denial.violations else None,
    )


def denial_fields(denial: Denial) -> dict[str, object]:
    """A refusal as the log keeps it."""
    wait = denial.retry_after
    return {
        "limits": [_violation_fields(violation) for violation in denial.violations],
        "retry_after_seconds": wait.total_seconds() if wait is not None else None,
    }


def _violation_fields(violation: Violation) -> dict[str, object]:
    status = violation.status
    return {
        "limit_id": status.limit.limit_id,
        "metric": status.limit.metric,
        "window": str(status.limit.window),
        "model_pattern": status.limit.model_pattern,
        "max_value": status.limit.max_value,
        "used": status.used,
        "held": status.held,
        "requested": violation.requested,
        "available": status.available,
        "reset_time": status.reset_time.isoformat() if status.reset_time else None,
        "blocked_by": violation.blocked_by.value,
        "never_fits": violation.never_fits,
    }


def _status(facts: RequestFacts) -> RequestStatus:
    if isinstance(facts.error, QuotaRefused):
        return "quota" if facts.error.is_exhausted else "rate_limit"
    if facts.has_left:
        return "cancelled"
    failed = facts.terminal is not None and facts.terminal.is_failure
    return "error" if failed or facts.error is not None else "ok"


def _http_status(facts: RequestFacts) -> int:
    if facts.http_status is not None:
        return facts.http_status
    if facts.has_left or facts.error is None:
        return CLIENT_CLOSED_REQUEST
    return facts.error.status


def _error(facts: RequestFacts) -> tuple[str | None, str | None]:
    if facts.error is not None:
        return facts.error.code, facts.error.message
    if facts.terminal is not None and facts.terminal.is_failure:
        return facts.terminal.error_code, facts.terminal.error_message
    return None, None


def _settlement(facts: RequestFacts) -> RequestSettlement:
    if not facts.has_settlement:
        return "none"
    return SETTLEMENTS.get(facts.settled, "pending") if facts.settled else "pending"


def _milliseconds(start: datetime, end: datetime) -> int:
    return max(0, round((end - start).total_seconds() * 1000))
