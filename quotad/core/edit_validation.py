"""Bounds on everything that an operator sets; whatever breaks one is an `InvalidRequest`, and nothing is written."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from quotad.core.groups import GroupChanges, GroupDraft
from quotad.core.keys import KeyChanges, KeyDraft, TokenDraft, Unset
from quotad.core.state import CONCURRENCY
from quotad.core.validation import AMOUNT_MAX, METRIC, MODEL_BYTES_MAX, check_id, check_text
from quotad.errors import InvalidRequest
from quotad.values import (
    KeyPolicies,
    Limit,
    OnQuotadUnavailable,
    OnUnknownPrice,
    TokenPrice,
    UnavailableAllowance,
    Window,
    WindowKind,
)

LIMIT_VALUE_MAX = 10**15
NAME_CHARACTERS_MAX = 128
KEY_LIMITS_MAX = 64
GROUP_LIMITS_MAX = 16
"""A request takes room in 128 limits at most, its key's and those of four groups: a refusal can name them all."""
ALLOWED_MODELS_MAX = 64
FIXED_SECONDS_MAX = 10 * 366 * 24 * 3600
ALLOWANCE_REQUESTS_MAX = 1_000_000
ALLOWANCE_SECONDS_MAX = 86_400
GRACE_MAX = timedelta(days=30)
TOKEN_TENANTS_MAX = 1000
BOOTSTRAP_PREFIX = "bootstrap-"
"""Of the names of the tokens that a daemon's settings bring."""

Given = TypeVar("Given")


def check_key_draft(draft: KeyDraft) -> None:
    _check_name("api_key.name", draft.name)
    _check_models(draft.allowed_models)
    _check_limits("api_key.limits", draft.limits, KEY_LIMITS_MAX)
    _check_policies(draft.policies)
    _check_reference("api_key.group_id", draft.group_id)


def check_key_changes(changes: KeyChanges) -> None:
    unchanged = KeyDraft("unchanged")
    check_key_draft(
        KeyDraft(
            name=_given(changes.name, unchanged.name),
            limits=_given(changes.limits, ()),
            allowed_models=_given(changes.allowed_models, ()),
            policies=_given(changes.policies, unchanged.policies),
            group_id=_given(changes.group_id, ""),
        )
    )


def check_grace(grace: timedelta) -> None:
    if not timedelta() <= grace <= GRACE_MAX:
        raise InvalidRequest("grace", "old secrets can go on working for 0 to 30 days")


def check_group_draft(draft: GroupDraft) -> None:
    _check_name("group.name", draft.name)
    _check_limits("group.limits", draft.limits, GROUP_LIMITS_MAX)
    _check_reference("group.parent_group_id", draft.parent_group_id)


def check_group_changes(changes: GroupChanges) -> None:
    check_group_draft(
        GroupDraft(
            name=_given(changes.name, "unchanged"),
            parent_group_id=_given(changes.parent_group_id, ""),
            limits=_given(changes.limits, ()),
        )
    )


def check_token_draft(draft: TokenDraft) -> None:
    _check_name("token.name", draft.name)
    if draft.name.startswith(BOOTSTRAP_PREFIX):
        raise InvalidRequest("token.name", f"names that begin with {BOOTSTRAP_PREFIX} are the daemon's own")
    if len(draft.tenant_ids) > TOKEN_TENANTS_MAX:
        raise InvalidRequest("token.tenant_ids", f"at most {TOKEN_TENANTS_MAX} tenants")
    for tenant_id in draft.tenant_ids:
        check_id("token.tenant_ids", tenant_id)


def _given(value: Given | Unset, otherwise: Given) -> Given:
    return otherwise if isinstance(value, Unset) else value


def _check_name(field: str, name: str) -> None:
    if not 1 <= len(name.strip()) <= len(name) <= NAME_CHARACTERS_MAX:
        raise InvalidRequest(field, f"a name has 1 to {NAME_CHARACTERS_MAX} characters")
    if "\0" in name:
        raise InvalidRequest(field, "a name cannot contain NUL")


def _check_reference(field: str, value: str) -> None:
    if value:
        check_id(field, value)


def _check_models(allowed_models: tuple[str, ...]) -> None:
    if len(allowed_models) > ALLOWED_MODELS_MAX:
        raise InvalidRequest("api_key.allowed_models", f"at most {ALLOWED_MODELS_MAX} models")
    for pattern in allowed_models:
        _check_pattern("api_key.allowed_models", pattern)


def _check_policies(policies: KeyPolicies) -> None:
    at = "api_key.policies"
    _check_range(f"{at}.default_output_tokens", policies.default_output_tokens, 0, AMOUNT_MAX)
    is_open = policies.on_quotad_unavailable is OnQuotadUnavailable.OPEN
    if is_open != (policies.unavailable_allowance is not None):
        raise InvalidRequest(f"{at}.unavailable_allowance", "an allowance belongs to open, and open needs one")
    if (policies.on_unknown_price is OnUnknownPrice.DEFAULT) != (policies.default_price is not None):
        raise InvalidRequest(f"{at}.default_price", "a price belongs to default, and default needs one")
    if policies.unavailable_allowance is not None:
        _check_allowance(f"{at}.unavailable_allowance", policies.unavailable_allowance)
    if policies.default_price is not None:
        _check_price(f"{at}.default_price", policies.default_price)


def _check_allowance(field: str, allowance: UnavailableAllowance) -> None:
    _check_range(f"{field}.requests", allowance.requests, 1, ALLOWANCE_REQUESTS_MAX)
    _check_range(f"{field}.seconds", allowance.seconds, 1, ALLOWANCE_SECONDS_MAX)


def _check_price(field: str, price: TokenPrice) -> None:
    _check_range(f"{field}.microusd_per_million_input_tokens", price.microusd_per_million_input_tokens, 0, AMOUNT_MAX)
    _check_range(f"{field}.microusd_per_million_output_tokens", price.microusd_per_million_output_tokens, 0, AMOUNT_MAX)


def _check_range(field: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InvalidRequest(field, f"is {least} to {most:,}")


def _check_limits(field: str, limits: tuple[Limit, ...], limits_max: int) -> None:
    if len(limits) > limits_max:
        raise InvalidRequest(field, f"at most {limits_max} limits")
    for limit in limits:
        _check_limit(field, limit)
    identities = [(limit.metric, limit.window, limit.model_pattern) for limit in limits]
    if len(set(identities)) != len(identities):
        raise InvalidRequest(field, "two limits have the same metric, window and model pattern")


def _check_limit(field: str, limit: Limit) -> None:
    if not METRIC.fullmatch(limit.metric):
        raise InvalidRequest(f"{field}.metric", "a metric must match [a-z][a-z0-9_]{0,62}")
    if not 0 <= limit.max_value <= LIMIT_VALUE_MAX:
        raise InvalidRequest(f"{field}.max_value", "a limit's max_value is 0 to 10^15")
    if limit.metric == CONCURRENCY and limit.window.kind is not WindowKind.LIFETIME:
        raise InvalidRequest(f"{field}.window", "a concurrency limit has the window lifetime")
    if limit.model_pattern:
        _check_pattern(f"{field}.model_pattern", limit.model_pattern)
    _check_window(f"{field}.window", limit.window)


def _check_window(field: str, window: Window) -> None:
    if window.kind is WindowKind.FIXED:
        if not 1 <= window.seconds <= FIXED_SECONDS_MAX:
            raise InvalidRequest(f"{field}.seconds", "a fixed window has 1 second to 10 years")
    elif window.seconds:
        raise InvalidRequest(f"{field}.seconds", "only a fixed window has seconds")
    try:
        ZoneInfo(window.time_zone)
    except (ValueError, OSError, ZoneInfoNotFoundError) as exc:
        raise InvalidRequest(f"{field}.time_zone", "an IANA time zone such as Europe/Paris") from exc


def _check_pattern(field: str, pattern: str) -> None:
    check_text(field, pattern, MODEL_BYTES_MAX)
    if not pattern or "*" in pattern[:-1]:
        raise InvalidRequest(field, "a model pattern is an exact name, or a prefix followed by *")
