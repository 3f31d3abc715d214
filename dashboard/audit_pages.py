"""Pages over two logs, the dashboard's own and quotad's, merged by time.

A page token says how far each of the two was read: the last entry that was shown of the own log, and for quotad the
last one with the page token that led to it.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dashboard.audit import Entry, list_entries
from dashboard.database import Database
from dashboard.errors import InvalidInput
from quotad.client.admin import AdminClient
from quotad.client.types import AuditEntry

QUOTAD_PAGE_SIZE = 100
ENTRY_ID_MAX = 2**63 - 1

OwnPosition = tuple[datetime, int]
"""Time and id of an entry."""
QuotadPosition = tuple[str, datetime, str]
"""The token of the page that an entry is on, its time, its id."""


class Source(StrEnum):
    """Whose log an entry is in."""

    DASHBOARD = "dashboard"
    QUOTAD = "quotad"


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far both logs were read; None where nothing was."""

    own: OwnPosition | None = None
    quotad: QuotadPosition | None = None


@dataclass(frozen=True, slots=True)
class Merged:
    """An entry of either log, and where reading goes on after it."""

    entry_id: str
    source: Source
    create_time: datetime
    actor: str
    token_name: str
    action: str
    resource_kind: str
    resource_id: str
    before: str
    after: str
    own: OwnPosition | None
    quotad: QuotadPosition | None


@dataclass(frozen=True, slots=True)
class MergedPage:
    """Some changes, the latest first."""

    entries: tuple[Merged, ...]
    next_page_token: str


async def read_page(
    database: Database, admin: AdminClient, sources: frozenset[Source], page_token: str, entries_max: int
) -> MergedPage:
    """The next entries of these logs. Raises `InvalidInput` for a token that is none, and what each log raises."""
    cursor = read_token(page_token)
    found: list[Merged] = []
    if Source.DASHBOARD in sources:
        async with database.transaction() as connection:
            own = await list_entries(connection, before=cursor.own, entries_max=entries_max + 1)
        found += [_of_own(entry) for entry in own]
    if Source.QUOTAD in sources:
        found += await _read_quotad(admin, cursor.quotad, entries_max + 1)
    return merge(found, cursor, entries_max)


def merge(found: list[Merged], cursor: Cursor, entries_max: int) -> MergedPage:
    """The latest `entries_max` of what both logs had next; each log keeps its own order."""
    latest = sorted(found, key=lambda entry: entry.create_time, reverse=True)
    page = latest[:entries_max]
    if len(latest) <= entries_max:
        return MergedPage(tuple(page), "")
    own = next((entry.own for entry in reversed(page) if entry.own), cursor.own)
    quotad = next((entry.quotad for entry in reversed(page) if entry.quotad), cursor.quotad)
    return MergedPage(tuple(page), write_token(Cursor(own, quotad)))


def write_token(cursor: Cursor) -> str:
    own = [cursor.own[0].isoformat(), cursor.own[1]] if cursor.own else None
    quotad = [cursor.quotad[0], cursor.quotad[1].isoformat(), cursor.quotad[2]] if cursor.quotad else None
    return base64.urlsafe_b64encode(json.dumps([own, quotad], separators=(",", ":")).encode()).decode()


def read_token(page_token: str) -> Cursor:
    """Raises `InvalidInput` for what `write_token` has not made."""
    if not page_token:
        return Cursor()
    try:
        own, quotad = json.loads(base64.b64decode(page_token, altchars=b"-_", validate=True))
        return Cursor(
            None if own is None else (_moment(own[0]), _entry_id(own[1])),
            None if quotad is None else (_text(quotad[0]), _moment(quotad[1]), _text(quotad[2])),
        )
    except (ValueError, TypeError, LookupError, RecursionError) as exc:
        raise InvalidInput("This is no page token of this list.", field="pageToken") from exc


def _moment(value: str) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError
    return moment


def _entry_id(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value <= ENTRY_ID_MAX:
        raise ValueError
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


async def _read_quotad(admin: AdminClient, shown: QuotadPosition | None, entries_max: int) -> list[Merged]:
    token = shown[0] if shown else ""
    found: list[Merged] = []
    while len(found) < entries_max:
        page = await admin.list_audit_entries(page_size=QUOTAD_PAGE_SIZE, page_token=token)
        found += [
            _of_quotad(entry, token)
            for entry in page.entries
            if shown is None or (entry.create_time, entry.entry_id) < shown[1:]
        ]
        token = page.next_page_token
        if not token:
            break
    return found[:entries_max]


def _of_own(entry: Entry) -> Merged:
    return Merged(
        entry_id=str(entry.entry_id),
        source=Source.DASHBOARD,
        create_time=entry.create_time,
        actor=entry.actor,
        token_name="",
        action=entry.action,
        resource_kind=entry.resource_kind,
        resource_id=entry.resource_id,
        before=entry.before,
        after=entry.after,
        own=(entry.create_time, entry.entry_id),
        quotad=None,
    )


def _of_quotad(entry: AuditEntry, page_token: str) -> Merged:
    return Merged(
        entry_id=entry.entry_id,
        source=Source.QUOTAD,
        create_time=entry.create_time,
        actor=entry.author.actor,
        token_name=entry.author.token_name,
        action=entry.action,
        resource_kind=entry.resource_kind,
        resource_id=entry.resource_id,
        before=entry.before,
        after=entry.after,
        own=None,
        quotad=(page_token, entry.create_time, entry.entry_id),
    )
