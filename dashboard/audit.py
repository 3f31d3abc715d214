"""The log of the dashboard's own changes: password, second factor, sessions, upstream accounts, settings.

An entry is written in the transaction of its change, so that neither is there without the other. What the dashboard
changes in quotad is in quotad's log, under the same name of who.
"""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from dashboard.auth.sessions import Caller, Session
from dashboard.tables import audit_log

Facts = Mapping[str, str | int | bool | None]
"""A resource as it was or is; never a secret."""


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to which resource."""

    action: str
    """A word of quotad's log: `create`, `update`, `rotate`, `delete`, `revoke`; and `use` for a recovery code."""
    resource_kind: str
    resource_id: str = ""
    before: Facts | None = None
    after: Facts | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One change, as it was made."""

    entry_id: int
    create_time: datetime
    actor: str
    action: str
    resource_kind: str
    resource_id: str
    before: str
    """The resource as JSON; empty where there was none."""
    after: str


def operator_at(session: Session, caller: Caller) -> str:
    """The operator, by session and address."""
    return f"operator session={session.short_id} address={caller.address}"


def os_user() -> str:
    """Who runs a command; a number where the system has no name for it, as in some containers."""
    try:
        return f"os:{getpass.getuser()}"
    except (KeyError, OSError):
        return f"os:{os.getuid()}"


async def note(connection: AsyncConnection, actor: str, change: Change) -> None:
    """Write the change into the log."""
    row = {
        "actor": actor,
        "action": change.action,
        "resource_kind": change.resource_kind,
        "resource_id": change.resource_id,
        "before": _json(change.before),
        "after": _json(change.after),
    }
    await connection.execute(insert(audit_log).values(row))


async def list_entries(
    connection: AsyncConnection, *, before: tuple[datetime, int] | None, entries_max: int
) -> list[Entry]:
    """The newest first, those before this time and id where it is given."""
    wanted = select(audit_log).order_by(audit_log.c.create_time.desc(), audit_log.c.entry_id.desc())
    if before is not None:
        wanted = wanted.where(tuple_(audit_log.c.create_time, audit_log.c.entry_id) < tuple_(*before))
    return [Entry(**row) for row in (await connection.execute(wanted.limit(entries_max))).mappings()]


async def purge_entries(connection: AsyncConnection, retention_seconds: float) -> None:
    ended = audit_log.c.create_time <= func.now() - timedelta(seconds=retention_seconds)
    await connection.execute(delete(audit_log).where(ended))


def _json(facts: Facts | None) -> str:
    return "" if facts is None else json.dumps(facts, ensure_ascii=False)
