"""Asking quotad for the hold of one request, and what its refusals mean to the caller."""

from __future__ import annotations

import structlog

from proxy.config import ProxySettings
from proxy.errors import InternalError, InvalidApiKey, ModelNotFound, ProxyError, QuotaRefused, QuotaUnavailable
from proxy.metering.hold import HoldAmounts, HoldSizes, size_hold
from proxy.requests.types import Endpoint, ProxyRequest
from quotad.client.data import DataClient
from quotad.client.types import Grant, KeyPolicies, OutcomeUnknown, ReservationView, Scope
from quotad.errors import (
    ApiKeyDisabled,
    ApiKeyUnknown,
    InvalidRequest,
    ModelNotAllowed,
    QuotaError,
    Refused,
    Unavailable,
)

LABEL_BYTES_MAX = 256

log = structlog.get_logger(__name__)


class ReserveUncertain(Exception):
    """Nobody knows whether the room is held now, so the id has to be released (S7)."""


def hold_amounts(request: ProxyRequest, settings: ProxySettings) -> HoldAmounts:
    """How much to hold for a request."""
    sizes = HoldSizes(
        bytes_per_token=settings.bytes_per_token,
        image_tokens=settings.image_tokens,
        upstream_context_tokens=settings.upstream_context_tokens,
        default_output_tokens=settings.default_output_tokens,
        compact_output_tokens_max=settings.compact_output_tokens_max,
        min_output_tokens=settings.min_output_tokens,
    )
    return size_hold(
        request.content,
        sizes,
        is_compact=request.endpoint is Endpoint.COMPACT,
        key_output_tokens=key_policies(request).default_output_tokens,
    )


def key_policies(request: ProxyRequest) -> KeyPolicies:
    return request.key.api_key.policies if request.key else KeyPolicies()


def key_scope(request: ProxyRequest) -> Scope:
    """The key as the one that settles names it."""
    if request.key is not None:
        return Scope(api_key_id=request.key.api_key.api_key_id)
    return Scope(api_key=request.api_key)


async def reserve(
    quota: DataClient, request: ProxyRequest, reservation_id: str, hold: HoldAmounts, lease_seconds: float
) -> Grant:
    """Hold the room. Raises `ReserveUncertain`, or the `ProxyError` of a definite refusal, which holds nothing."""
    try:
        return await quota.reserve(
            reservation_id,
            api_key=request.api_key,
            model=request.model,
            amounts=hold.amounts,
            min_amounts=hold.min_amounts,
            lease_seconds=lease_seconds,
            labels={"request_id": request.request_id[:LABEL_BYTES_MAX]},
            reservation_view=ReservationView.BRIEF,
        )
    except (OutcomeUnknown, Unavailable) as exc:
        log.warning("reserve unanswered", reservation_id=reservation_id, error=str(exc))
        raise ReserveUncertain from exc
    except QuotaError as exc:
        raise refusal(exc, request.model) from exc


def refusal(error: QuotaError, model: str) -> ProxyError:
    """A definite refusal of Reserve in the caller's terms."""
    match error:
        case Refused(denial=denial):
            return QuotaRefused(denial, model)
        case ApiKeyUnknown():
            return InvalidApiKey()
        case ApiKeyDisabled():
            return InvalidApiKey("This API key is disabled, expired or deleted.")
        case ModelNotAllowed():
            return ModelNotFound(model)
        case InvalidRequest():
            # The key's limits count what this proxy does not measure: the operator has to know, the caller cannot help.
            log.error("reserve refused as invalid", field=error.field, error=error.message)
            return InternalError()
    log.error("reserve refused", reason=error.reason, error=error.message)
    return QuotaUnavailable()
