"""Service tokens, and the log of who changed what."""

from __future__ import annotations

from protos.quota.v1 import quota_pb2 as pb
from quotad.administration import AuditEntry, Author, ServiceToken
from quotad.wire.scalars import TOKEN_ROLES, read_time, required, timestamp


def token_message(token: ServiceToken) -> pb.Token:
    return pb.Token(
        token_id=token.token_id,
        name=token.name,
        role=TOKEN_ROLES.number(token.role),
        tenant_ids=token.tenant_ids,
        may_charge_unreserved=token.may_charge_unreserved,
        create_time=timestamp(token.create_time),
        revoke_time=timestamp(token.revoke_time),
    )


def read_token(message: pb.Token, at: str = "") -> ServiceToken:
    return ServiceToken(
        token_id=message.token_id,
        name=message.name,
        role=required(TOKEN_ROLES.read(message, "role", at), at, "role"),
        tenant_ids=tuple(message.tenant_ids),
        may_charge_unreserved=message.may_charge_unreserved,
        create_time=required(read_time(message, "create_time", at), at, "create_time"),
        revoke_time=read_time(message, "revoke_time", at),
    )


def audit_entry_message(entry: AuditEntry) -> pb.AuditEntry:
    return pb.AuditEntry(
        entry_id=entry.entry_id,
        tenant_id=entry.tenant_id,
        create_time=timestamp(entry.create_time),
        token_name=entry.author.token_name,
        actor=entry.author.actor,
        action=entry.action,
        resource_kind=entry.resource_kind,
        resource_id=entry.resource_id,
        before=entry.before,
        after=entry.after,
    )


def read_audit_entry(message: pb.AuditEntry, at: str = "") -> AuditEntry:
    return AuditEntry(
        entry_id=message.entry_id,
        tenant_id=message.tenant_id,
        create_time=required(read_time(message, "create_time", at), at, "create_time"),
        author=Author(message.token_name, message.actor),
        action=message.action,
        resource_kind=message.resource_kind,
        resource_id=message.resource_id,
        before=message.before,
        after=message.after,
    )
