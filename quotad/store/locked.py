"""The locked path: one transaction that locks, loads, plans and applies. Exact under any contention.

    reservation rows (by id)  ->  window rows (by limit and start)  ->  plan  ->  apply  ->  commit

The clock that decides is read after the locks. A plan that turns out to need other windows, because time went on while
it waited, is made again in a new transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import asyncpg

from quotad.core.operations import Answer, Bound, Finalize, Release, Reserve
from quotad.core.plan import plan, windows_needed
from quotad.core.state import LedgerState, Writes
from quotad.store import statements
from quotad.store.configuration import load_keys
from quotad.store.connections import Connection, StoreSettings
from quotad.store.failures import PlanAgain
from quotad.store.rows import reservation_from, reservation_row, window_arrays, window_row, windows_from

OUTAGE_AFTER = timedelta(seconds=10)
"""Sweepers note each second that they are at work; older than this, the ledger itself was away."""


async def run_locked(
    connection: Connection, settings: StoreSettings, tenant_id: str, operations: Sequence[Bound]
) -> tuple[Answer, ...]:
    """Answer the operations of one tenant in one transaction; raises `PlanAgain` when nothing could be decided."""
    transaction = connection.transaction(isolation="read_committed")
    await transaction.start()
    try:
        state = await _lock(connection, settings, tenant_id, operations)
        decided = plan(state, operations)
        if decided.writes:
            await _apply(connection, state, operations, decided.writes)
    except BaseException:
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
            await transaction.rollback()
        raise
    # Where nothing is written, the rows made on the way (a pending reservation, empty windows) go too.
    await (transaction.commit() if decided.writes else transaction.rollback())
    return decided.answers


async def _lock(
    connection: Connection, settings: StoreSettings, tenant_id: str, operations: Sequence[Bound]
) -> LedgerState:
    state = await _lock_reservations(connection, settings, tenant_id, operations)
    needed = windows_needed(state, operations)
    row = await connection.fetchrow(statements.LOCK_WINDOWS, tenant_id, *window_arrays(needed))
    if row is None:
        raise PlanAgain
    state = replace(state, now=row["db_now"], windows=windows_from(row["windows"] or ()))
    if windows_needed(state, operations).keys() != state.windows.keys():
        raise PlanAgain
    return state


async def _lock_reservations(
    connection: Connection, settings: StoreSettings, tenant_id: str, operations: Sequence[Bound]
) -> LedgerState:
    ids = sorted({bound.reservation_id for bound in operations})
    made = sorted({bound.reservation_id for bound in operations if _may_create(bound)})
    grace = timedelta(seconds=settings.default_lease_seconds)
    row = await connection.fetchrow(statements.LOCK_RESERVATIONS, tenant_id, ids, made, OUTAGE_AFTER, grace)
    if row is None:
        raise PlanAgain
    rows = [found for found in row["reservations"] or () if found["state"] != "pending"]
    reservations = {found["reservation_id"]: reservation_from(found) for found in rows}
    key_ids = {found.api_key_id for found in reservations.values()} | {bound.api_key_id for bound in operations}
    return LedgerState(
        tenant_id=tenant_id,
        now=row["db_now"],
        lease_floor=row["lease_floor"],
        default_lease=grace,
        horizon=timedelta(seconds=settings.horizon_seconds),
        keys=await load_keys(connection, tenant_id, key_ids - {""}),
        reservations=reservations,
    )


def _may_create(bound: Bound) -> bool:
    match bound.operation:
        case Reserve() | Release():
            return True
        case Finalize(allow_unreserved=allow_unreserved):
            return allow_unreserved
        case _:
            return False


async def _apply(connection: Connection, state: LedgerState, operations: Sequence[Bound], writes: Writes) -> None:
    admitting = {bound.api_key_id for bound in operations if isinstance(bound.operation, Reserve)}
    versions = {state.keys[api_key_id].config_version for api_key_id in admitting}
    if len(versions) > 1:
        raise PlanAgain
    await connection.execute(
        statements.APPLY,
        state.tenant_id,
        next(iter(versions), None),
        [reservation_row(write) for write in writes.reservations],
        [window_row(write) for write in writes.windows],
    )
