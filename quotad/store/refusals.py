"""Why requests were refused: exact counts per key, limit and minute, and at most ten samples of each.

Refusals are noted in memory and written each second, outside of the ledger's transactions. A flush whose answer was
lost is repeated with its number and counted once; a daemon that is killed loses the last second.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import structlog

from quotad.core.operations import Bound, PlanAnswer, Reserve, ReserveAnswer
from quotad.core.validation import check_id
from quotad.errors import InvalidRequest, Refused, Unavailable
from quotad.records import Page, RefusalCount, RefusalSample
from quotad.store import statements_records as statements
from quotad.store.configuration_rows import Row, limit_from, owner_from
from quotad.store.connections import Connections
from quotad.store.loops import every
from quotad.store.pages import check_page_size, page_token, read_page_token, read_time_text, time_text
from quotad.values import BlockedBy, Enforcement, Limit, Violation

SAMPLES_MAX = 10
FLUSH_SECONDS = 1.0
LAST_FLUSH_SECONDS_MAX = 5.0
MINUTE = timedelta(minutes=1)
FIRST_UUID, LAST_UUID = str(uuid.UUID(int=0)), str(uuid.UUID(int=2**128 - 1))
LAST_TEXT = "\U0010ffff"

log = structlog.get_logger(__name__)


class _Key(NamedTuple):
    tenant_id: str
    minute: datetime
    api_key_id: str
    limit_id: str
    is_shadow: bool


@dataclass(slots=True)
class _Entry:
    limit: Limit
    refused: int = 0
    samples: list[dict[str, object]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Flush:
    """What is written for one tenant, again and again with one number until that is known to have been done."""

    tenant_id: str
    sequence: int
    entries: dict[_Key, _Entry]


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told what the recorder has done."""

    refused: Callable[[Limit, int], object]
    """A limit, and how often it has refused."""
    dropped: Callable[[int], object]
    """How many refusals were not counted."""


@dataclass(frozen=True, slots=True)
class RefusalQuery:
    """Which refusals to list: those of minutes from `start` on and before `end`."""

    tenant_id: str
    start: datetime
    end: datetime
    api_key_id: str = ""
    limit_id: str = ""
    enforcement: Enforcement | None = None


class Refusals:
    """The recorder of one daemon, and what all of them have written."""

    def __init__(self, connections: Connections, entries_max: int) -> None:
        self._connections = connections
        self._entries_max = entries_max
        self._entries: dict[_Key, _Entry] = {}
        self._flushes: list[_Flush] = []
        self._waiting = 0
        self._dropped = 0
        self._recorder_id = uuid.uuid4()
        self._sequence = 0
        self._minute = datetime.min.replace(tzinfo=UTC)
        self._minute_end = self._minute

    def note(self, tenant_id: str, api_key_id: str, model: str, violations: Sequence[Violation], now: datetime) -> None:
        """Count a refusal of each limit, in the minute of `now`; one dictionary access, and no I/O."""
        if not violations:
            return
        if not self._minute <= now < self._minute_end:
            self._minute = now.replace(second=0, microsecond=0)
            self._minute_end = self._minute + MINUTE
        for violation in violations:
            limit = violation.status.limit
            is_shadow = limit.enforcement is Enforcement.SHADOW
            entry = self._entry(_Key(tenant_id, self._minute, api_key_id, limit.limit_id, is_shadow), limit)
            if entry is None:
                self._dropped += 1
                continue
            entry.refused += 1
            if len(entry.samples) < SAMPLES_MAX:
                entry.samples.append(_sample(violation, model, now))

    def note_answer(self, tenant_id: str, bound: Bound, answer: PlanAnswer) -> None:
        """Count what a Reserve was refused for, and what a shadow limit would have refused."""
        operation = bound.operation
        if not isinstance(operation, Reserve):
            return
        if isinstance(answer, ReserveAnswer):
            if answer.shadowed:
                self.note(tenant_id, bound.api_key_id, operation.model, answer.shadowed, answer.server_time)
        elif isinstance(answer, Refused) and answer.denial.now is not None:
            denial = answer.denial
            self.note(tenant_id, bound.api_key_id, operation.model, denial.violations, answer.denial.now)

    async def flush(self, watch: Watch) -> None:
        """Write what was noted. Raises `Unavailable`; what was not written is kept."""
        watch.dropped(self._dropped)
        self._dropped = 0
        if not self._flushes:
            self._cut(watch)
        while self._flushes:
            await self._write(self._flushes[0], watch)
            self._waiting -= len(self._flushes.pop(0).entries)

    async def run(self, stopping: asyncio.Event, watch: Watch) -> None:
        """Flush each second until told to stop, and then once more."""
        await every(FLUSH_SECONDS, stopping, "flush of refusals", lambda: self.flush(watch))
        try:
            async with asyncio.timeout(LAST_FLUSH_SECONDS_MAX):
                await self.flush(watch)
                await self.flush(watch)  # what was noted while an earlier one was under way
        except (Unavailable, TimeoutError) as error:
            log.warning("refusals not written", error=str(error), entries=len(self._entries) + self._waiting)

    async def list(self, query: RefusalQuery, page_size: int, token: str) -> Page[RefusalCount]:
        """The latest minute first; what a daemon has noted since its last flush is missing."""
        check_id("tenant_id", query.tenant_id)
        check_page_size(page_size)
        place = read_page_token(token, (time_text(datetime.max.replace(tzinfo=UTC)), LAST_TEXT, LAST_UUID, "~"))
        minute, api_key_id, limit_id, enforcement = (str(part) for part in place)
        async with self._connections.acquire() as connection:
            rows = await connection.fetch(
                statements.REFUSALS,
                query.tenant_id,
                query.start,
                query.end,
                query.api_key_id,
                _uuid("limit_id", query.limit_id) if query.limit_id else None,
                query.enforcement.value if query.enforcement else "",
                read_time_text(minute),
                api_key_id,
                _uuid("page_token", limit_id),
                enforcement,
                page_size + 1,
            )
        return Page(tuple(_count_from(row) for row in rows[:page_size]), _next(rows, page_size))

    def _entry(self, key: _Key, limit: Limit) -> _Entry | None:
        """None where there is no room for another one."""
        entry = self._entries.get(key)
        if entry is None and len(self._entries) + self._waiting < self._entries_max:
            entry = self._entries[key] = _Entry(limit)
        return entry

    def _cut(self, watch: Watch) -> None:
        by_tenant: dict[str, dict[_Key, _Entry]] = {}
        for key, entry in self._entries.items():
            by_tenant.setdefault(key.tenant_id, {})[key] = entry
            watch.refused(entry.limit, entry.refused)
        self._waiting = len(self._entries)
        self._entries = {}
        self._sequence += 1
        self._flushes = [_Flush(tenant_id, self._sequence, entries) for tenant_id, entries in by_tenant.items()]

    async def _write(self, flush: _Flush, watch: Watch) -> None:
        try:
            async with self._connections.acquire() as connection:
                await connection.execute(
                    statements.NOTE_REFUSALS, flush.tenant_id, self._recorder_id, flush.sequence, *_columns(flush)
                )
        except Unavailable:
            raise
        except Exception:
            # What the database will never take must not keep what comes after it.
            log.exception("refusals not written", tenant_id=flush.tenant_id)
            watch.dropped(sum(entry.refused for entry in flush.entries.values()))


def _columns(flush: _Flush) -> tuple[Sequence[object], ...]:
    keys, entries = list(flush.entries), list(flush.entries.values())
    return (
        [key.minute for key in keys],
        [key.api_key_id for key in keys],
        [uuid.UUID(key.limit_id) for key in keys],
        [(Enforcement.SHADOW if key.is_shadow else Enforcement.ENFORCE).value for key in keys],
        [entry.refused for entry in entries],
        [entry.samples for entry in entries],
    )


def _sample(violation: Violation, model: str, now: datetime) -> dict[str, object]:
    status = violation.status
    return {
        "time": time_text(now),
        "model": model,
        "requested": violation.requested,
        "used": status.used,
        "held": status.held,
        "max_value": status.limit.max_value,
        "blocked_by": violation.blocked_by.value,
    }


def _count_from(row: Row) -> RefusalCount:
    return RefusalCount(
        minute=row["minute"],
        api_key_id=row["refused_key_id"],
        limit=limit_from(row),
        owner=owner_from(row),
        enforcement=Enforcement(row["refused_by"]),
        refused=row["refused"],
        samples=tuple(_sample_from(sample) for sample in row["samples"]),
    )


def _sample_from(sample: dict[str, object]) -> RefusalSample:
    fields = {
        **sample,
        "time": datetime.fromisoformat(str(sample["time"])),
        "blocked_by": BlockedBy(str(sample["blocked_by"])),
    }
    return RefusalSample(**fields)  # type: ignore[arg-type]


def _next(rows: Sequence[Row], page_size: int) -> str:
    if len(rows) <= page_size:
        return ""
    last = rows[page_size - 1]
    return page_token(time_text(last["minute"]), last["refused_key_id"], str(last["limit_id"]), last["refused_by"])


def _uuid(name: str, text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError as exc:
        raise InvalidRequest(name, f"{name} is not valid") from exc
