"""Admin requests as drafts and changes. Bounds are the core's to check."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

from google.protobuf.field_mask_pb2 import FieldMask

from protos.quota.v1 import quota_pb2 as pb
from quotad.core.groups import GroupChanges, GroupDraft
from quotad.core.keys import UNSET, KeyChanges, KeyDraft, TokenDraft, Unset
from quotad.wire.keys import read_policies
from quotad.wire.limits import read_limits
from quotad.wire.scalars import TOKEN_ROLES, Malformed, read_time, required

KEY_FIELDS = ("name", "disabled", "expire_time", "allowed_models", "policies", "limits", "group_id")
GROUP_FIELDS = ("name", "parent_group_id", "limits")

Value = TypeVar("Value")


def key_draft(message: pb.ApiKey) -> KeyDraft:
    return KeyDraft(
        name=message.name,
        limits=read_limits(message.limits, "api_key"),
        allowed_models=tuple(message.allowed_models),
        expire_time=read_time(message, "expire_time", "api_key"),
        policies=read_policies(message.policies, "api_key.policies"),
        disabled=message.disabled,
        group_id=message.group_id,
    )


def key_changes(request: pb.UpdateApiKeyRequest) -> KeyChanges:
    """Only what the mask names; a name that it should not have is `Malformed`."""
    named = _named(request.update_mask, KEY_FIELDS)
    draft = key_draft(request.api_key)
    return KeyChanges(
        name=_if("name" in named, draft.name),
        limits=_if("limits" in named, draft.limits),
        allowed_models=_if("allowed_models" in named, draft.allowed_models),
        expire_time=_if("expire_time" in named, draft.expire_time),
        policies=_if("policies" in named, draft.policies),
        disabled=_if("disabled" in named, draft.disabled),
        group_id=_if("group_id" in named, draft.group_id),
    )


def group_draft(message: pb.Group) -> GroupDraft:
    return GroupDraft(message.name, message.parent_group_id, read_limits(message.limits, "group"))


def group_changes(request: pb.UpdateGroupRequest) -> GroupChanges:
    """Only what the mask names; a name that it should not have is `Malformed`."""
    named = _named(request.update_mask, GROUP_FIELDS)
    draft = group_draft(request.group)
    return GroupChanges(
        name=_if("name" in named, draft.name),
        parent_group_id=_if("parent_group_id" in named, draft.parent_group_id),
        limits=_if("limits" in named, draft.limits),
    )


def token_draft(message: pb.Token) -> TokenDraft:
    return TokenDraft(
        name=message.name,
        role=required(TOKEN_ROLES.read(message, "role", "token"), "token", "role"),
        tenant_ids=tuple(message.tenant_ids),
        may_charge_unreserved=message.may_charge_unreserved,
    )


def _named(mask: FieldMask, editable: Collection[str]) -> frozenset[str]:
    named = frozenset(mask.paths)
    if not named:
        raise Malformed("update_mask", "must name at least one field")
    if unknown := sorted(named.difference(editable)):
        raise Malformed("update_mask", f"cannot name {unknown[0]}: only {', '.join(editable)}")
    return named


def _if(is_named: bool, value: Value) -> Value | Unset:  # noqa: FBT001
    return value if is_named else UNSET
