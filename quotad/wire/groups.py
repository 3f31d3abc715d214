"""Groups as their operator sees them."""

from __future__ import annotations

from typing import TypeVar

from protos.quota.v1 import quota_pb2 as pb
from quotad.administration import Group, GroupDescription
from quotad.wire.limits import limit_message, read_limits, read_statuses, status_message
from quotad.wire.scalars import path, read_time, required, timestamp

Described = TypeVar("Described", pb.GetGroupResponse, pb.GroupWithLimits)


def group_message(group: Group) -> pb.Group:
    return pb.Group(
        group_id=group.group_id,
        tenant_id=group.tenant_id,
        name=group.name,
        parent_group_id=group.parent_group_id,
        limits=[limit_message(limit) for limit in group.limits],
        create_time=timestamp(group.create_time),
        update_time=timestamp(group.update_time),
        delete_time=timestamp(group.delete_time),
        etag=group.etag,
    )


def read_group(message: pb.Group, at: str = "") -> Group:
    return Group(
        group_id=message.group_id,
        tenant_id=message.tenant_id,
        name=message.name,
        parent_group_id=message.parent_group_id,
        limits=read_limits(message.limits, at),
        create_time=required(read_time(message, "create_time", at), at, "create_time"),
        update_time=required(read_time(message, "update_time", at), at, "update_time"),
        etag=message.etag,
        delete_time=read_time(message, "delete_time", at),
    )


def group_description_message(kind: type[Described], description: GroupDescription) -> Described:
    """The group with its limits, as the message of the kind that the RPC answers."""
    return kind(
        group=group_message(description.group),
        limits=[status_message(status) for status in description.limits],
        server_time=timestamp(description.server_time),
    )


def read_group_description(message: Described, at: str = "") -> GroupDescription:
    return GroupDescription(
        group=read_group(message.group, path(at, "group")),
        limits=read_statuses(message.limits, at),
        server_time=required(read_time(message, "server_time", at), at, "server_time"),
    )
