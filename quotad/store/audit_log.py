"""Who changed what: noted in the transaction of the change itself, so that neither is there without the other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from datetime import UTC, datetime
from enum import StrEnum

import asyncpg
from uuid_utils.compat import uuid7

from quotad.administration import AuditEntry, Author
from quotad.core.validation import check_id, check_text
from quotad.store import statements_audit_log
from quotad.store.connections import Connection, Connections
from quotad.store.edits import check_page_size

ALL_TENANTS = ""
"""In place of a tenant, where a change concerns no single one."""
END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)
FILTER_BYTES_MAX = 256


class Action(StrEnum):
    """What was done."""

    CREATE = "create"
    UPDATE = "update"
    ROTATE = "rotate"
    DELETE = "delete"
    REVOKE = "revoke"
    FORCE_RELEASE = "force_release"
    FINALIZE_RELEASED = "finalize_released"
    """Usage was reported for a reservation that had been released; `after` says what was not charged."""


class ResourceKind(StrEnum):
    """To what it was done."""

    API_KEY = "api_key"
    GROUP = "group"
    TOKEN = "token"  # noqa: S105
    RESERVATION = "reservation"


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `before` and `after` are values, or mappings of plain ones, and carry no secret."""

    action: str
    resource_kind: str
    resource_id: str
    before: object = None
    after: object = None


async def note(connection: Connection, tenant_id: str, author: Author, change: Change) -> None:
    """Note a change in the transaction under way on this connection."""
    await connection.execute(
        statements_audit_log.NOTE,
        tenant_id,
        f"log_{uuid7().hex}",
        author.token_name,
        author.actor,
        change.action,
        change.resource_kind,
        change.resource_id,
        _plain(change.before),
        _plain(change.after),
    )


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are wanted; empty fields want all."""

    resource_kind: str = ""
    resource_id: str = ""


class AuditLog:
    """Reads the log."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def list(
        self, tenant_ids: tuple[str, ...], wanted: AuditFilter, *, page_size: int, page_token: str
    ) -> tuple[tuple[AuditEntry, ...], str]:
        """Entries of these tenants, newest first, and the token of the next page, empty on the last.

        `ALL_TENANTS` stands for the entries that belong to none.
        """
        check_page_size(page_size)
        for tenant_id in tenant_ids:
            if tenant_id != ALL_TENANTS:
                check_id("tenant_id", tenant_id)
        check_text("resource_kind", wanted.resource_kind, FILTER_BYTES_MAX)
        check_text("resource_id", wanted.resource_id, FILTER_BYTES_MAX)
        if page_token:
            check_id("page_token", page_token)
        async with self._connections.acquire() as connection:
            before = await _start(connection, tenant_ids, page_token)
            rows = [
                row
                for tenant_id in tenant_ids
                for row in await _rows(connection, tenant_id, before, wanted, page_size + 1)
            ]
        rows.sort(key=lambda row: (row["create_time"], row["entry_id"]), reverse=True)
        page = tuple(_entry_from(row) for row in rows[:page_size])
        return page, page[-1].entry_id if len(rows) > page_size else ""


async def _start(connection: Connection, tenant_ids: tuple[str, ...], page_token: str) -> tuple[datetime, str]:
    """Entries before this one are wanted."""
    if not page_token:
        return END_OF_TIME, ""
    found = await connection.fetchval(statements_audit_log.AUDIT_ENTRY_TIME, list(tenant_ids), page_token)
    return found or datetime.min.replace(tzinfo=UTC), page_token


async def _rows(
    connection: Connection, tenant_id: str, before: tuple[datetime, str], wanted: AuditFilter, rows_max: int
) -> list[asyncpg.Record]:
    arguments = tenant_id, *before, wanted.resource_kind, rows_max
    if wanted.resource_id:
        return await connection.fetch(statements_audit_log.AUDIT_ENTRIES_OF_RESOURCE, *arguments, wanted.resource_id)
    return await connection.fetch(statements_audit_log.AUDIT_ENTRIES, *arguments)


def _entry_from(row: asyncpg.Record) -> AuditEntry:
    return AuditEntry(
        entry_id=row["entry_id"],
        tenant_id=row["tenant_id"],
        create_time=row["create_time"],
        author=Author(row["token_name"], row["actor"]),
        action=row["action"],
        resource_kind=row["resource_kind"],
        resource_id=row["resource_id"],
        before=_json(row["before"]),
        after=_json(row["after"]),
    )


def _json(value: object) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _plain(value: object) -> object:
    """A value as what JSON knows."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return _plain(asdict(value))
        case _:
            return value
