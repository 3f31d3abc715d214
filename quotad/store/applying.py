"""A plan as the arguments of `apply_v2`, and what comes of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from quotad.core.operations import Bound
from quotad.core.state import ReservationWrite, WindowKey, WindowState, WindowWrite, Writes
from quotad.values import Amounts, Hold, Reservation, ReservationState

CLOCK_TOLERANCE = timedelta(seconds=1)
"""A plan that waited longer than this for its locks is made again: its times would no longer be the database's."""
HOLD_TEXTS_MAX = 65_536
"""Sets of windows whose text is remembered: one for each key and model that is busy."""

TIME_TEXTS_MAX = 4096
"""Moments whose text is remembered: a batch has few of them, each many times."""
SEPARATOR = "\x1f"

PENDING = "pending"
"""State of a row that is made and changed in one plan: no other transaction ever sees it."""


def apply_arguments(
    tenant_id: str, config_version: int, now: datetime, writes: Writes, ends: datetime
) -> tuple[object, ...]:
    """In the order of `quotad.apply_v2`; after `ends` nothing is written.

    Nearly everything goes as text: the driver looks at every element of an array, and cannot nest arrays.
    """
    made = [write for write in writes.reservations if write.found is None]
    moved = [write for write in writes.reservations if _is_moved(write)]
    return (
        tenant_id,
        config_version or None,
        now,
        max(writes.valid_from or now, now - CLOCK_TOLERANCE),
        min(writes.valid_until or ends, now + CLOCK_TOLERANCE, ends),
        *_made(made),
        *_moved(moved),
        _texts(writes.absent_ids),
        *_changed(writes.windows),
        *_checked(writes.checked),
    )


def windows_after(
    writes: Writes, held: Sequence[int] | None, used: Sequence[int] | None
) -> dict[WindowKey, WindowState]:
    """The changed windows as `apply_v2` left them."""
    return {
        write.key: WindowState(write.found.reset_time, held_now, used_now, write.found.max_value)
        for write, held_now, used_now in zip(writes.windows, held or (), used or (), strict=True)
    }


def drift_of(writes: Writes, after: Mapping[WindowKey, WindowState]) -> dict[WindowKey, tuple[int, int]]:
    """What others have moved, in `held` and `used`, in the changed windows since these were remembered."""
    drift = {}
    for write in writes.windows:
        found, left = write.found, after[write.key]
        moved = left.held - write.held_delta - found.held, left.used - write.used_delta - found.used
        if moved != (0, 0):
            drift[write.key] = moved
    return drift


def end_of(operations: Sequence[Bound], now: datetime) -> datetime:
    """When, by the database's clock that says `now`, the first caller stops waiting."""
    left = min([bound.ends_at for bound in operations]) - asyncio.get_running_loop().time()
    return now + timedelta(seconds=min(left, CLOCK_TOLERANCE.total_seconds()))


def _is_moved(write: ReservationWrite) -> bool:
    return write.found is not None or write.reservation.state is not ReservationState.RESERVED


def _made(writes: Sequence[ReservationWrite]) -> tuple[object, ...]:
    rows = [write.reservation for write in writes]
    texts = [_hold_texts(tuple([(hold.limit_id, hold.metric, *_span(hold)) for hold in row.holds])) for row in rows]
    return (
        len(rows),
        _texts([row.reservation_id for row in rows]),
        _texts([row.state.value if row.state is ReservationState.RESERVED else PENDING for row in rows]),
        _texts([row.api_key_id for row in rows]),
        [row.model for row in rows],
        _texts([_amounts(row.requested) for row in rows]),
        _texts([_amounts(row.min_amounts) if row.min_amounts else "" for row in rows]),
        _texts(["" if row.reserved is row.requested else _amounts(row.reserved) for row in rows]),
        _texts([text[0] for text in texts]),
        _texts([text[1] for text in texts]),
        _texts([text[2] for text in texts]),
        _texts([text[3] for text in texts]),
        _texts([_array([str(hold.held) for hold in row.holds]) for row in rows]),
        _texts([_time(row.expire_time) for row in rows]),
        _texts([json.dumps(row.labels) if row.labels else "" for row in rows]),
    )


def _moved(writes: Sequence[ReservationWrite]) -> tuple[object, ...]:
    rows = [write.reservation for write in writes]
    return (
        len(rows),
        _texts([row.reservation_id for row in rows]),
        _texts([PENDING if write.found is None else write.found.state.value for write in writes]),
        _texts([_time((write.found or write.reservation).expire_time) for write in writes]),
        _texts([row.state.value for row in rows]),
        _texts([_time(row.expire_time) for row in rows]),
        _texts([_amounts(row.actual) if _is_charged(row) else "" for row in rows]),
        _texts([_array([str(hold.charged) for hold in row.holds]) if _is_charged(row) else "" for row in rows]),
        _texts([_array([str(hold.over_by) for hold in row.holds]) if _is_over(row) else "" for row in rows]),
        _texts([_boolean(row.late) for row in rows]),
        _texts([_boolean(row.unreserved) for row in rows]),
        _texts([row.basis.value if row.basis else "" for row in rows]),
        _texts([json.dumps(row.labels) if row.labels else "" for row in rows]),
        [write.reason for write in writes],
    )


def _changed(writes: Sequence[WindowWrite]) -> tuple[object, ...]:
    return (
        len(writes),
        _array([write.key[0] for write in writes]),
        _array([_time(write.key[1]) for write in writes]),
        _array([_time(write.found.reset_time) for write in writes]),
        _array([_boolean(not write.found.is_stored) for write in writes]),
        _array([str(write.held_delta) for write in writes]),
        _array([str(write.used_delta) for write in writes]),
        _array([str(write.found.held) for write in writes]),
        _array([str(write.found.used) for write in writes]),
        _array([str(write.room) for write in writes]),
        _array([str(write.found.max_value) for write in writes]),
        _array([_boolean(write.is_exact) for write in writes]),
    )


def _checked(windows: Sequence[tuple[WindowKey, WindowState]]) -> tuple[object, ...]:
    return (
        len(windows),
        _array([limit_id for (limit_id, _), _ in windows]),
        _array([_time(start) for (_, start), _ in windows]),
        _array([str(found.held) for _, found in windows]),
        _array([str(found.used) for _, found in windows]),
    )


def _is_charged(row: Reservation) -> bool:
    return row.state is ReservationState.FINALIZED


def _is_over(row: Reservation) -> bool:
    return any(hold.over_by for hold in row.holds)


def _span(hold: Hold) -> tuple[datetime, datetime | None]:
    return hold.window_start, hold.reset_time


@lru_cache(HOLD_TEXTS_MAX)
def _hold_texts(windows: tuple[tuple[str, str, datetime, datetime | None], ...]) -> tuple[str, str, str, str]:
    """Limits, metrics, starts and resets of a reservation's windows; a key's next request has the same ones."""
    return (
        _array([limit_id for limit_id, _, _, _ in windows]),
        _array([metric for _, metric, _, _ in windows]),
        _array([_time(start) for _, _, start, _ in windows]),
        _array([_time(reset) for _, _, _, reset in windows]),
    )


@lru_cache(TIME_TEXTS_MAX)
def _time(moment: datetime | None) -> str:
    return "NULL" if moment is None else moment.isoformat()


def _boolean(value: bool) -> str:  # noqa: FBT001 - it is the value
    return "t" if value else "f"


def _texts(items: Sequence[str]) -> str:
    """Many texts in one; none of them may contain the separator, and an empty one stands for NULL."""
    return SEPARATOR.join(items)


def _array(items: Sequence[str]) -> str:
    """An array's text; metrics, ids, numbers and times need no quoting."""
    return "{" + ",".join(items) + "}"


def _amounts(amounts: Amounts | Mapping[str, int]) -> str:
    """A metric's name needs no quoting inside JSON."""
    return "{" + ",".join([f'"{metric}":{amount}' for metric, amount in amounts.items()]) + "}"
