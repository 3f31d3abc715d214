"""The locked path: one transaction that locks, loads, plans and applies. Exact under any contention.

    reservation rows (by id)  ->  window rows (by limit and start)  ->  plan  ->  apply  ->  commit

The clock that decides is read after the locks. A plan that turns out to need other windows, because time went on while
it waited, is made again in a new transaction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

import asyncpg

from quotad.core.operations import Bound, Finalize, PlanAnswer, Release, Reserve
from quotad.core.plan import plan, windows_needed
from quotad.core.state import KeyConfig, LedgerState, WindowKey, WindowState, Writes
from quotad.store import statements
from quotad.store.applying import PENDING, apply_arguments, end_of, windows_after
from quotad.store.configuration import load_configuration
from quotad.store.connections import Connection, StoreSettings
from quotad.store.failures import ConfigurationMoved, LapsedInTheWay, PlanAgain
from quotad.store.optimistic import is_blocked_by_holds
from quotad.store.rows import reservation_from, window_arrays, windows_from
from quotad.values import Reservation

OUTAGE_AFTER = timedelta(seconds=10)
"""Sweepers note each second that they are at work; older than this, the ledger itself was away."""


@dataclass(frozen=True, slots=True)
class Exact:
    """What a transaction of the locked path answered, and what it left behind."""

    answers: tuple[PlanAnswer, ...]
    config_version: int
    keys: Mapping[str, KeyConfig]
    windows: Mapping[WindowKey, WindowState]
    reservations: tuple[Reservation, ...]


Beside: TypeAlias = "Callable[[Connection], Awaitable[object]]"
"""What else is written in the transaction of a plan that writes."""


async def run_locked(
    connection: Connection,
    settings: StoreSettings,
    tenant_id: str,
    operations: Sequence[Bound],
    beside: Beside | None = None,
) -> Exact:
    """Answer the operations of one tenant in one transaction; raises `PlanAgain` when nothing could be decided."""
    transaction = connection.transaction(isolation="read_committed")
    await transaction.start()
    try:
        if len(operations) == 1:
            # Alone it holds nobody up, and may wait as long as its caller does.
            await connection.execute(statements.LOCK_TIMEOUT, f"{settings.lock_timeout_seconds * 1000:.0f}")
        config_version, state = await _lock(connection, settings, tenant_id, operations)
        decided = plan(state, operations)
        await _require_no_lapsed(connection, tenant_id, decided.answers)
        windows = dict(state.windows)
        if decided.writes:
            windows |= await _apply(connection, state, config_version, decided.writes, end_of(operations, state.now))
            await _drop_pending(connection, tenant_id, operations, decided.writes)
        if decided.writes and beside is not None:
            await beside(connection)
    except BaseException:
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
            await transaction.rollback()
        raise
    # Where nothing is written, the rows made on the way (a pending reservation, empty windows) go too.
    await (transaction.commit() if decided.writes else transaction.rollback())
    written = tuple([write.reservation for write in decided.writes.reservations])
    return Exact(decided.answers, config_version, state.keys, windows if decided.writes else {}, written)


async def _lock(
    connection: Connection, settings: StoreSettings, tenant_id: str, operations: Sequence[Bound]
) -> tuple[int, LedgerState]:
    config_version, state = await _lock_reservations(connection, settings, tenant_id, operations)
    needed = windows_needed(state, operations)
    row = await connection.fetchrow(statements.LOCK_WINDOWS, tenant_id, *window_arrays(needed))
    if row is None:
        raise PlanAgain
    state = replace(state, now=row["db_now"], windows=windows_from(row["windows"] or ()))
    if windows_needed(state, operations).keys() != state.windows.keys():
        raise PlanAgain
    return config_version, state


async def _lock_reservations(
    connection: Connection, settings: StoreSettings, tenant_id: str, operations: Sequence[Bound]
) -> tuple[int, LedgerState]:
    ids = sorted({bound.reservation_id for bound in operations})
    made = sorted({bound.reservation_id for bound in operations if _may_create(bound)})
    grace = timedelta(seconds=settings.default_lease_seconds)
    row = await connection.fetchrow(statements.LOCK_RESERVATIONS, tenant_id, ids, made, OUTAGE_AFTER, grace)
    if row is None:
        raise PlanAgain
    rows = [found for found in row["reservations"] or () if found["state"] != PENDING]
    reservations = {found["reservation_id"]: reservation_from(found) for found in rows}
    key_ids = {found.api_key_id for found in reservations.values()} | {bound.api_key_id for bound in operations}
    config_version, keys = await load_configuration(connection, tenant_id, key_ids - {""})
    if any(bound.config_version not in (None, config_version) for bound in operations):
        raise ConfigurationMoved
    return config_version, LedgerState(
        tenant_id=tenant_id,
        now=row["db_now"],
        lease_floor=row["lease_floor"],
        default_lease=grace,
        horizon=timedelta(seconds=settings.horizon_seconds),
        keys=keys,
        reservations=reservations,
    )


async def _require_no_lapsed(connection: Connection, tenant_id: str, answers: Sequence[PlanAnswer]) -> None:
    """Raise `LapsedInTheWay` rather than let a lapsed hold refuse anybody.

    The windows are locked: whoever expires a hold in them is either done, and the plan has seen it, or not there yet.
    """
    if not any(is_blocked_by_holds(answer) for answer in answers):
        return
    if await connection.fetchval(statements.LAPSED, tenant_id, 1, OUTAGE_AFTER) is not None:
        raise LapsedInTheWay


def _may_create(bound: Bound) -> bool:
    match bound.operation:
        case Reserve() | Release():
            return True
        case Finalize(allow_unreserved=allow_unreserved):
            return allow_unreserved
        case _:
            return False


async def _drop_pending(connection: Connection, tenant_id: str, operations: Sequence[Bound], writes: Writes) -> None:
    """What was made to lock an id, and was then refused beside others that were not."""
    made = {bound.reservation_id for bound in operations if _may_create(bound)}
    unused = made.difference(write.reservation.reservation_id for write in writes.reservations)
    if unused:
        await connection.execute(statements.DROP_PENDING, tenant_id, sorted(unused))


async def _apply(
    connection: Connection, state: LedgerState, config_version: int, writes: Writes, ends: datetime
) -> dict[WindowKey, WindowState]:
    arguments = apply_arguments(state.tenant_id, config_version, state.now, writes, ends)
    row = await connection.fetchrow(statements.APPLY, *arguments)
    if row is None:
        raise PlanAgain
    return windows_after(writes, row["held"], row["used"])
