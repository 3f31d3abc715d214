"""What an operator asks of a key, as the core's edits. Bounds are the core's to check."""

from __future__ import annotations

from protos.quota.v1 import quota_pb2 as pb
from quotad.core.keys import UNSET, KeyChanges, KeyDraft
from quotad.values import Limit
from quotad.wire.keys import read_policies
from quotad.wire.limits import read_limit
from quotad.wire.scalars import Malformed, read_time

EDITABLE = ("name", "disabled", "expire_time", "allowed_models", "policies", "limits")


def key_draft(message: pb.ApiKey) -> KeyDraft:
    return KeyDraft(
        name=message.name,
        limits=_limits(message),
        allowed_models=tuple(message.allowed_models),
        expire_time=read_time(message, "expire_time", "api_key"),
        policies=read_policies(message.policies, "api_key.policies"),
        disabled=message.disabled,
    )


def key_changes(request: pb.UpdateApiKeyRequest) -> KeyChanges:
    """Only what the mask names; a name that it should not have is `Malformed`."""
    named = set(request.update_mask.paths)
    if not named:
        raise Malformed("update_mask", "must name at least one field")
    if unknown := sorted(named.difference(EDITABLE)):
        raise Malformed("update_mask", f"cannot name {unknown[0]}: only {', '.join(EDITABLE)}")
    draft = key_draft(request.api_key)
    return KeyChanges(
        name=draft.name if "name" in named else UNSET,
        limits=draft.limits if "limits" in named else UNSET,
        allowed_models=draft.allowed_models if "allowed_models" in named else UNSET,
        expire_time=draft.expire_time if "expire_time" in named else UNSET,
        policies=draft.policies if "policies" in named else UNSET,
        disabled=draft.disabled if "disabled" in named else UNSET,
    )


def _limits(message: pb.ApiKey) -> tuple[Limit, ...]:
    return tuple(read_limit(limit, f"api_key.limits[{n}]") for n, limit in enumerate(message.limits))
