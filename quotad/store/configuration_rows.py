"""Rows of keys, groups and limits as values, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import asyncpg

from quotad.administration import Group
from quotad.core.state import KeyConfig, Rule
from quotad.values import (
    ApiKey,
    Enforcement,
    KeyPolicies,
    Limit,
    LimitOwner,
    OnMissingUsage,
    OnQuotadUnavailable,
    OnUnknownPrice,
    TokenPrice,
    UnavailableAllowance,
    Window,
    WindowKind,
)

Row: TypeAlias = asyncpg.Record


def key_config_from(row: Row, own: Iterable[Row], of_groups: Iterable[Rule]) -> KeyConfig:
    """A key with its own limits first, and then those of its groups."""
    rules = rules_from(own, LimitOwner(row["api_key_id"], row["name"]))
    key = _api_key_from(row, tuple(rule.limit for rule in rules))
    return KeyConfig(key, (*rules, *of_groups), row["config_version"])


def rules_from(rows: Iterable[Row], owner: LimitOwner) -> tuple[Rule, ...]:
    return tuple(Rule(limit_from(row), owner, row["create_time"]) for row in rows)


def limits_by_owner(rows: Iterable[Row]) -> Mapping[str, list[Row]]:
    """Rows of limits by the id of the key or group that they belong to."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["api_key_id"] or row["group_id"], []).append(row)
    return found


def owner_from(row: Row) -> LimitOwner:
    """The key or group of a limit that is listed with its `owner_name`."""
    return LimitOwner(row["api_key_id"] or "", row["owner_name"], row["group_id"] or "")


def group_from(row: Row, limits: tuple[Limit, ...]) -> Group:
    return Group(
        group_id=row["group_id"],
        tenant_id=row["tenant_id"],
        name=row["name"],
        parent_group_id=row["parent_group_id"] or "",
        limits=limits,
        create_time=row["create_time"],
        update_time=row["update_time"],
        etag=row["etag"],
        delete_time=row["delete_time"],
    )


def policies_columns(policies: KeyPolicies) -> tuple[object, ...]:
    """In the order in which the statements name the columns."""
    allowance, price = policies.unavailable_allowance, policies.default_price
    return (
        policies.on_missing_usage.value,
        policies.default_output_tokens,
        policies.on_quotad_unavailable.value,
        allowance and allowance.requests,
        allowance and allowance.seconds,
        policies.on_unknown_price.value,
        price and price.microusd_per_million_input_tokens,
        price and price.microusd_per_million_output_tokens,
    )


def _policies_from(row: Row) -> KeyPolicies:
    requests, input_price = row["allowance_requests"], row["default_input_price"]
    return KeyPolicies(
        on_missing_usage=OnMissingUsage(row["on_missing_usage"]),
        default_output_tokens=row["default_output_tokens"],
        on_quotad_unavailable=OnQuotadUnavailable(row["on_quotad_unavailable"]),
        unavailable_allowance=None if requests is None else UnavailableAllowance(requests, row["allowance_seconds"]),
        on_unknown_price=OnUnknownPrice(row["on_unknown_price"]),
        default_price=None if input_price is None else TokenPrice(input_price, row["default_output_price"]),
    )


def _api_key_from(row: Row, limits: tuple[Limit, ...]) -> ApiKey:
    return ApiKey(
        api_key_id=row["api_key_id"],
        tenant_id=row["tenant_id"],
        name=row["name"],
        secret_prefix=row["secret_prefix"],
        limits=limits,
        create_time=row["create_time"],
        update_time=row["update_time"],
        etag=row["etag"],
        disabled=row["disabled"],
        expire_time=row["expire_time"],
        delete_time=row["delete_time"],
        allowed_models=tuple(row["allowed_models"]),
        policies=_policies_from(row),
        group_id=row["group_id"] or "",
        old_secrets_expire_time=row["old_secrets_expire_time"],
    )


def limit_from(row: Row) -> Limit:
    return Limit(
        metric=row["metric"],
        window=Window(WindowKind(row["window_kind"]), row["window_seconds"], row["time_zone"]),
        max_value=row["max_value"],
        model_pattern=row["model_pattern"],
        enforcement=Enforcement(row["enforcement"]),
        limit_id=str(row["limit_id"]),
    )
