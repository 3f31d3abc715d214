"""The one place that renders errors before the first byte: a status with an OpenAI error object."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from pydantic import BaseModel, Field
from starlette.responses import Response

from proxy.errors import ProxyError, QuotaRefused, UpstreamRefused
from proxy.http.codex import in_dialect
from proxy.http.headers import Header
from quotad.client.types import Violation


class RefusingLimit(BaseModel):
    """One limit that does not admit the request."""

    limit_id: str
    metric: str
    window: str
    model_pattern: str
    max_value: int
    used: int
    held: int
    requested: int
    available: int
    reset_time: datetime | None
    blocked_by: str
    never_fits: bool


class ErrorObject(BaseModel):
    """What went wrong, in the OpenAI shape: the first four keys are always there."""

    message: str
    type: str
    param: str | None
    code: str | None
    limits: list[RefusingLimit] | None = Field(default=None, description="Every limit in the way; only with 429.")
    resets_at: int | None = Field(default=None, description="Unix seconds; only for Codex, when a limit is reached.")


class ErrorAnswer(BaseModel):
    """The body of every answer that is not a success."""

    error: ErrorObject


def error_response(error: ProxyError, *, codex: bool, headers: list[Header]) -> Response:
    """The answer for an error before the first byte; the error's own headers win over `headers`."""
    merged = dict(headers) | {name.lower(): value for name, value in error.headers.items()}
    if isinstance(error, UpstreamRefused):
        return Response(error.body, error.status, merged, media_type=error.content_type)
    return Response(error_body(error, codex=codex), error.status, merged, media_type="application/json")


def error_body(error: ProxyError, *, codex: bool) -> bytes:
    """The error object as JSON, in Codex's dialect where Codex asked."""
    fields: dict[str, object] = {
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": error.code,
    }
    if isinstance(error, QuotaRefused):
        fields["limits"] = [_refusing(violation) for violation in error.denial.violations]
    if codex:
        fields = in_dialect(error, fields, datetime.now(UTC))
    return json.dumps({"error": fields}).encode()


def _refusing(violation: Violation) -> dict[str, object]:
    status = violation.status
    return RefusingLimit(
        limit_id=status.limit.limit_id,
        metric=status.limit.metric,
        window=str(status.limit.window),
        model_pattern=status.limit.model_pattern,
        max_value=status.limit.max_value,
        used=status.used,
        held=status.held,
        requested=violation.requested,
        available=status.available,
        reset_time=status.reset_time,
        blocked_by=violation.blocked_by.value,
        never_fits=violation.never_fits,
    ).model_dump(mode="json")
