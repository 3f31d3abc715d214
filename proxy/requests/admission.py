"""Asking quotad for the hold of one request, and what its refusals mean to the caller."""

from __future__ import annotations

from decimal import Decimal

import structlog

from proxy.config import ProxySettings
from proxy.errors import (
    InternalError,
    InvalidApiKey,
    ModelNotFound,
    ModelPriceUnknown,
    ProxyError,
    QuotaRefused,
    QuotaUnavailable,
)
from proxy.metering.hold import HoldAmounts, HoldSizes, size_hold, with_cost
from proxy.metering.price_book import PriceBook, context_tokens
from proxy.metering.pricing import COST, Price, Tariff, flat_price
from proxy.requests.types import Endpoint, ProxyRequest
from quotad.client.data import DataClient
from quotad.client.retrying import is_in_doubt
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
SERVICE_TIER_CHARS_MAX = 64
"""Prices are remembered by it; what is longer is no tier."""
MICROUSD = 1_000_000
"""In a USD."""

log = structlog.get_logger(__name__)


class ReserveUncertain(Exception):
    """Nobody knows whether the room is held now, so the id has to be released (S7)."""


class ReserveInDoubt(Exception):
    """The last try was refused, but an earlier one may hold room all the same: the id has to be released, too."""

    def __init__(self, error: ProxyError) -> None:
        super().__init__(error.message)
        self.error = error


def tariff_of(request: ProxyRequest, prices: PriceBook) -> Tariff:
    """What the request's tokens cost."""
    tier = request.content.get("service_tier")
    return Tariff(
        prices=prices,
        model=request.model,
        service_tier=tier if isinstance(tier, str) and len(tier) <= SERVICE_TIER_CHARS_MAX else "",
        time=request.start_time,
        default=default_price(key_policies(request)),
    )


def default_price(policies: KeyPolicies) -> Price | None:
    """What the key counts for a model whose price is not known; None where it refuses such a model."""
    price = policies.default_price
    if price is None:
        return None
    return flat_price(
        Decimal(price.microusd_per_million_input_tokens) / MICROUSD,
        Decimal(price.microusd_per_million_output_tokens) / MICROUSD,
    )


def hold_amounts(request: ProxyRequest, settings: ProxySettings, tariff: Tariff) -> HoldAmounts:
    """How much to hold for a request."""
    sizes = HoldSizes(
        bytes_per_token=settings.bytes_per_token,
        image_tokens=settings.image_tokens,
        upstream_context_tokens=settings.upstream_context_tokens,
        default_output_tokens=settings.default_output_tokens,
        compact_output_tokens_max=settings.compact_output_tokens_max,
        min_output_tokens=settings.min_output_tokens,
    )
    hold = size_hold(
        request.content,
        sizes,
        is_compact=request.endpoint is Endpoint.COMPACT,
        key_output_tokens=key_policies(request).default_output_tokens,
        context_tokens=context_tokens(request.model),
        maximum_fields=request.endpoint.dialect.maximum_fields,
        choices=request.endpoint.dialect.choices(request.content),
    )
    return with_cost(hold, tariff.expected)


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
    """Hold the room. Raises `ReserveUncertain`, `ReserveInDoubt`, or the `ProxyError` of a definite refusal.

    Only after the last one it is certain that nothing is held.
    """
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
        if is_in_doubt(exc):
            log.warning("reserve in doubt", reservation_id=reservation_id, error=str(exc))
            raise ReserveInDoubt(refusal(exc, request.model)) from exc
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
        case InvalidRequest(field=field) if field == f"amounts.{COST}":
            # Only the ledger knows which limits count at this moment; the hold names a cost wherever there is a price.
            log.warning("model without a price refused", model=model)
            return ModelPriceUnknown(model)
        case InvalidRequest():
            # The key's limits count what this proxy does not measure: the operator has to know, the caller cannot help.
            log.error("reserve refused as invalid", field=error.field, error=error.message)
            return InternalError()
    log.error("reserve refused", reason=error.reason, error=error.message)
    return QuotaUnavailable()
