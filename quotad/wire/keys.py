"""API keys as their operator sees them."""

from __future__ import annotations

from typing import TypeVar

from protos.quota.v1 import quota_pb2 as pb
from quotad.values import (
    ApiKey,
    GroupName,
    KeyDescription,
    KeyPolicies,
    OnMissingUsage,
    OnQuotadUnavailable,
    OnUnknownPrice,
    TokenPrice,
    UnavailableAllowance,
)
from quotad.wire.limits import limit_message, read_limits, read_statuses, status_message
from quotad.wire.scalars import (
    ON_MISSING_USAGE,
    ON_QUOTAD_UNAVAILABLE,
    ON_UNKNOWN_PRICE,
    path,
    read_time,
    required,
    timestamp,
)

Described = TypeVar("Described", pb.DescribeKeyResponse, pb.GetApiKeyResponse, pb.ApiKeyWithLimits)


def policies_message(policies: KeyPolicies) -> pb.KeyPolicies:
    return pb.KeyPolicies(
        on_missing_usage=ON_MISSING_USAGE.number(policies.on_missing_usage),
        default_output_tokens=policies.default_output_tokens,
        on_quotad_unavailable=ON_QUOTAD_UNAVAILABLE.number(policies.on_quotad_unavailable),
        unavailable_allowance=_allowance_message(policies.unavailable_allowance),
        on_unknown_price=ON_UNKNOWN_PRICE.number(policies.on_unknown_price),
        default_price=_price_message(policies.default_price),
    )


def read_policies(message: pb.KeyPolicies, at: str = "") -> KeyPolicies:
    return KeyPolicies(
        on_missing_usage=ON_MISSING_USAGE.read(message, "on_missing_usage", at) or OnMissingUsage.RELEASE,
        default_output_tokens=message.default_output_tokens,
        on_quotad_unavailable=ON_QUOTAD_UNAVAILABLE.read(message, "on_quotad_unavailable", at)
        or OnQuotadUnavailable.CLOSED,
        unavailable_allowance=_read_allowance(message),
        on_unknown_price=ON_UNKNOWN_PRICE.read(message, "on_unknown_price", at) or OnUnknownPrice.REFUSE,
        default_price=_read_price(message),
    )


def api_key_message(key: ApiKey) -> pb.ApiKey:
    return pb.ApiKey(
        api_key_id=key.api_key_id,
        tenant_id=key.tenant_id,
        name=key.name,
        secret_prefix=key.secret_prefix,
        disabled=key.disabled,
        expire_time=timestamp(key.expire_time),
        allowed_models=key.allowed_models,
        policies=policies_message(key.policies),
        limits=[limit_message(limit) for limit in key.limits],
        create_time=timestamp(key.create_time),
        update_time=timestamp(key.update_time),
        delete_time=timestamp(key.delete_time),
        etag=key.etag,
        group_id=key.group_id,
        old_secrets_expire_time=timestamp(key.old_secrets_expire_time),
    )


def read_api_key(message: pb.ApiKey, at: str = "") -> ApiKey:
    return ApiKey(
        api_key_id=message.api_key_id,
        tenant_id=message.tenant_id,
        name=message.name,
        secret_prefix=message.secret_prefix,
        disabled=message.disabled,
        expire_time=read_time(message, "expire_time", at),
        allowed_models=tuple(message.allowed_models),
        policies=read_policies(message.policies, path(at, "policies")),
        limits=read_limits(message.limits, at),
        create_time=required(read_time(message, "create_time", at), at, "create_time"),
        update_time=required(read_time(message, "update_time", at), at, "update_time"),
        delete_time=read_time(message, "delete_time", at),
        etag=message.etag,
        group_id=message.group_id,
        old_secrets_expire_time=read_time(message, "old_secrets_expire_time", at),
    )


def description_message(kind: type[Described], description: KeyDescription) -> Described:
    """The key with its limits, as the message of the kind that the RPC answers."""
    return kind(
        api_key=api_key_message(description.api_key),
        limits=[status_message(status) for status in description.limits],
        server_time=timestamp(description.server_time),
        group_path=[pb.GroupName(group_id=group.group_id, name=group.name) for group in description.group_path],
    )


def read_description(message: Described, at: str = "") -> KeyDescription:
    return KeyDescription(
        api_key=read_api_key(message.api_key, path(at, "api_key")),
        limits=read_statuses(message.limits, at),
        server_time=required(read_time(message, "server_time", at), at, "server_time"),
        group_path=tuple(GroupName(group.group_id, group.name) for group in message.group_path),
    )


def _allowance_message(allowance: UnavailableAllowance | None) -> pb.UnavailableAllowance | None:
    if allowance is None:
        return None
    return pb.UnavailableAllowance(requests=allowance.requests, seconds=allowance.seconds)


def _read_allowance(message: pb.KeyPolicies) -> UnavailableAllowance | None:
    if not message.HasField("unavailable_allowance"):
        return None
    allowance = message.unavailable_allowance
    return UnavailableAllowance(allowance.requests, allowance.seconds)


def _price_message(price: TokenPrice | None) -> pb.TokenPrice | None:
    if price is None:
        return None
    return pb.TokenPrice(
        microusd_per_million_input_tokens=price.microusd_per_million_input_tokens,
        microusd_per_million_output_tokens=price.microusd_per_million_output_tokens,
    )


def _read_price(message: pb.KeyPolicies) -> TokenPrice | None:
    if not message.HasField("default_price"):
        return None
    price = message.default_price
    return TokenPrice(price.microusd_per_million_input_tokens, price.microusd_per_million_output_tokens)
