"""API keys as their operator sees them."""

from __future__ import annotations

from typing import TypeVar

from protos.quota.v1 import quota_pb2 as pb
from quotad.values import ApiKey, KeyDescription, KeyPolicies, OnMissingUsage
from quotad.wire.limits import limit_message, read_limit, read_statuses, status_message
from quotad.wire.scalars import ON_MISSING_USAGE, path, read_time, required, timestamp

Described = TypeVar("Described", pb.DescribeKeyResponse, pb.GetApiKeyResponse, pb.ApiKeyWithLimits)


def policies_message(policies: KeyPolicies) -> pb.KeyPolicies:
    return pb.KeyPolicies(
        on_missing_usage=ON_MISSING_USAGE.number(policies.on_missing_usage),
        default_output_tokens=policies.default_output_tokens,
    )


def read_policies(message: pb.KeyPolicies, at: str = "") -> KeyPolicies:
    return KeyPolicies(
        on_missing_usage=ON_MISSING_USAGE.read(message, "on_missing_usage", at) or OnMissingUsage.RELEASE,
        default_output_tokens=message.default_output_tokens,
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
        limits=tuple(read_limit(limit, f"{path(at, 'limits')}[{n}]") for n, limit in enumerate(message.limits)),
        create_time=required(read_time(message, "create_time", at), at, "create_time"),
        update_time=required(read_time(message, "update_time", at), at, "update_time"),
        delete_time=read_time(message, "delete_time", at),
        etag=message.etag,
    )


def description_message(kind: type[Described], description: KeyDescription) -> Described:
    """The key with its limits, as the message of the kind that the RPC answers."""
    return kind(
        api_key=api_key_message(description.api_key),
        limits=[status_message(status) for status in description.limits],
        server_time=timestamp(description.server_time),
    )


def read_description(message: Described, at: str = "") -> KeyDescription:
    return KeyDescription(
        api_key=read_api_key(message.api_key, path(at, "api_key")),
        limits=read_statuses(message.limits, at),
        server_time=required(read_time(message, "server_time", at), at, "server_time"),
    )
