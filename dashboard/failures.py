"""Errors as answers: `{"error": {"code", "message", "field"}}`, rendered here and nowhere else."""

from __future__ import annotations

import structlog
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic.alias_generators import to_camel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from dashboard.api.schema import ErrorAnswer, ErrorDetail
from dashboard.auth.csrf import SAFE_METHODS
from dashboard.edit_errors import EtagMismatch, GroupNotEmpty, GroupTreeInvalid
from dashboard.errors import (
    BodyTimeout,
    DashboardError,
    InternalError,
    InvalidInput,
    MethodNotAllowed,
    NotFound,
    QuotadUnavailable,
    ResourceNotFound,
)
from quotad import errors as quotad
from quotad.client.types import OutcomeUnknown

log = structlog.get_logger(__name__)

TEXT_CHARACTERS_MAX = 500
OUTCOME_UNKNOWN = "quotad cannot be reached. The change may or may not have been made: look before you repeat it."


def error_response(error: DashboardError) -> Response:
    body = ErrorAnswer(error=ErrorDetail(code=error.code, message=error.message, field=error.field))
    return JSONResponse(body.model_dump(by_alias=True), error.status, headers=dict(error.headers))


async def answer_refusal(_request: Request, error: Exception) -> Response:
    if not isinstance(error, DashboardError):
        raise error
    return error_response(error)


async def answer_invalid(_request: Request, error: Exception) -> Response:
    """The first thing that is wrong, and where; never the value, which may be a password."""
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return error_response(InvalidInput("The body is not JSON."))
    field = ".".join(str(part) for part in first["loc"][1:])
    message = str(first["msg"]).removeprefix("Value error, ")
    return error_response(InvalidInput(shown(message), field=shown(field) or None))


async def answer_routing(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    match error.status_code:
        case 404:
            return error_response(NotFound())
        case 405:
            return error_response(MethodNotAllowed(headers=error.headers))
        case 408:
            return error_response(BodyTimeout())
        case _:
            return error_response(InvalidInput(str(error.detail)))


async def answer_quotad(request: Request, error: Exception) -> Response:
    if isinstance(error, OutcomeUnknown) and request.method not in SAFE_METHODS:
        log.warning("outcome of a change unknown", error=str(error))
        return error_response(QuotadUnavailable(OUTCOME_UNKNOWN))
    if not isinstance(error, quotad.QuotaError | OutcomeUnknown):
        raise error
    return error_response(from_quotad(error))


async def answer_defect(_request: Request, _error: Exception) -> Response:
    """The server logs the defect with its traceback after this."""
    return error_response(InternalError())


def from_quotad(error: quotad.QuotaError | OutcomeUnknown) -> DashboardError:
    """What quotad refuses, in the words of the dashboard."""
    match error:
        case quotad.InvalidRequest(field=field, message=message):
            return InvalidInput(message, field=page_field(field) or None)
        case quotad.EtagMismatch():
            return EtagMismatch()
        case quotad.GroupNotEmpty():
            return GroupNotEmpty()
        case quotad.GroupTreeInvalid(message=message):
            return GroupTreeInvalid(f"{message[:1].upper()}{message[1:]}.")
        case quotad.ResourceNotFound(message=message) | quotad.ReservationNotFound(message=message):
            return ResourceNotFound(message)
        case quotad.Unavailable() | OutcomeUnknown():
            log.warning("quotad unavailable", error=str(error))
            return QuotadUnavailable()
        case quotad.CallerUnauthenticated() | quotad.CallerNotAllowed():
            log.error("quotad refuses this service: DASHBOARD_QUOTAD_TOKEN must be a token of role admin")
            return QuotadUnavailable("quotad refuses this service's token: see its log.")
        case _:
            log.error("unexpected refusal of quotad", reason=error.reason, error=error.message)
            return InternalError()


def shown(text: str) -> str:
    """A text that may quote the caller, short and such that it can be sent."""
    return text[:TEXT_CHARACTERS_MAX].encode("utf-8", "replace").decode("utf-8")


def page_field(field: str) -> str:
    """A field of quotad's messages as this API spells it: `api_key.limits.max_value` -> `limits.maxValue`."""
    own = field.removeprefix("api_key.").removeprefix("group.")
    return ".".join(to_camel(part) for part in own.split("."))
