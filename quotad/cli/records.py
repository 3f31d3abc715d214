"""What commands print as JSON."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime

from quotad.administration import AuditEntry, Group, GroupDescription, ServiceToken
from quotad.records import RefusalCount, UsageTotal
from quotad.values import ApiKey, KeyDescription, Limit, LimitStatus, Reservation


def rfc3339(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def key_record(key: ApiKey) -> dict[str, object]:
    return {
        "api_key_id": key.api_key_id,
        "tenant_id": key.tenant_id,
        "group_id": key.group_id,
        "name": key.name,
        "secret_prefix": key.secret_prefix,
        "disabled": key.disabled,
        "expire_time": _time(key.expire_time),
        "old_secrets_expire_time": _time(key.old_secrets_expire_time),
        "allowed_models": list(key.allowed_models),
        "policies": dataclasses.asdict(key.policies),
        "create_time": _time(key.create_time),
        "update_time": _time(key.update_time),
        "delete_time": _time(key.delete_time),
        "etag": key.etag,
        "limits": [limit_record(limit) for limit in key.limits],
    }


def description_record(description: KeyDescription) -> dict[str, object]:
    return key_record(description.api_key) | {
        "group_path": [dataclasses.asdict(group) for group in description.group_path],
        "limits": [status_record(status) for status in description.limits],
    }


def group_record(group: Group) -> dict[str, object]:
    return {
        "group_id": group.group_id,
        "tenant_id": group.tenant_id,
        "parent_group_id": group.parent_group_id,
        "name": group.name,
        "create_time": _time(group.create_time),
        "update_time": _time(group.update_time),
        "delete_time": _time(group.delete_time),
        "etag": group.etag,
        "limits": [limit_record(limit) for limit in group.limits],
    }


def group_description_record(description: GroupDescription) -> dict[str, object]:
    return group_record(description.group) | {"limits": [status_record(status) for status in description.limits]}


def limit_record(limit: Limit) -> dict[str, object]:
    return {
        "limit_id": limit.limit_id,
        "metric": limit.metric,
        "window": str(limit.window),
        "time_zone": limit.window.time_zone,
        "model_pattern": limit.model_pattern,
        "enforcement": limit.enforcement.value,
        "max_value": limit.max_value,
    }


def status_record(status: LimitStatus) -> dict[str, object]:
    return limit_record(status.limit) | {
        "owner": dataclasses.asdict(status.owner),
        "used": status.used,
        "held": status.held,
        "available": status.available,
        "window_start": _time(status.window_start),
        "reset_time": _time(status.reset_time),
    }


def token_record(token: ServiceToken) -> dict[str, object]:
    return {
        "token_id": token.token_id,
        "name": token.name,
        "role": token.role.value,
        "tenant_ids": list(token.tenant_ids),
        "may_charge_unreserved": token.may_charge_unreserved,
        "create_time": _time(token.create_time),
        "revoke_time": _time(token.revoke_time),
    }


def audit_record(entry: AuditEntry) -> dict[str, object]:
    return {
        "entry_id": entry.entry_id,
        "tenant_id": entry.tenant_id,
        "create_time": _time(entry.create_time),
        "token_name": entry.author.token_name,
        "actor": entry.author.actor,
        "action": entry.action,
        "resource_kind": entry.resource_kind,
        "resource_id": entry.resource_id,
        "before": json.loads(entry.before) if entry.before else None,
        "after": json.loads(entry.after) if entry.after else None,
    }


def reservation_record(found: Reservation) -> dict[str, object]:
    return {
        "reservation_id": found.reservation_id,
        "tenant_id": found.tenant_id,
        "api_key_id": found.api_key_id,
        "model": found.model,
        "state": found.state.value,
        "requested": dict(found.requested),
        "reserved": dict(found.reserved),
        "actual": dict(found.actual),
        "holds": [
            dataclasses.asdict(hold)
            | {"window_start": rfc3339(hold.window_start), "reset_time": _time(hold.reset_time)}
            for hold in found.holds
        ],
        "create_time": rfc3339(found.create_time),
        "expire_time": rfc3339(found.expire_time),
        "settle_time": _time(found.settle_time),
        "late": found.late,
        "unreserved": found.unreserved,
        "forced_reason": found.forced_reason,
        "basis": found.basis and found.basis.value,
        "labels": dict(found.labels),
    }


def usage_record(total: UsageTotal) -> dict[str, object]:
    return dataclasses.asdict(total) | {"hour": rfc3339(total.hour)}


def refusal_record(count: RefusalCount) -> dict[str, object]:
    return {
        "minute": rfc3339(count.minute),
        "api_key_id": count.api_key_id,
        "limit": limit_record(count.limit),
        "owner": dataclasses.asdict(count.owner),
        "enforcement": count.enforcement.value,
        "refused": count.refused,
        "samples": [
            dataclasses.asdict(sample) | {"time": rfc3339(sample.time), "never_fits": sample.never_fits}
            for sample in count.samples
        ],
    }


def _time(time: datetime | None) -> str | None:
    return None if time is None else rfc3339(time)
