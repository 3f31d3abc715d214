"""The optimistic path: plan on remembered rows, let one call of `apply_v2` verify and write.

It takes what is usual: a Reserve of an id that nobody has used, and what settles or renews an open reservation whose
lease runs. Whatever is not so, and whatever turns out not to be so, goes the locked path.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from quotad.core.draft import WindowMissing
from quotad.core.operations import Bound, Finalize, PlanAnswer, Release, RenewOne, Reserve
from quotad.core.plan import Plan, plan, windows_needed
from quotad.core.state import LedgerState
from quotad.core.views import moved
from quotad.errors import QuotaExceeded
from quotad.store import statements
from quotad.store.applying import apply_arguments, drift_of, end_of, windows_after
from quotad.store.cache import Cache, TenantCache
from quotad.store.configuration import load_configuration, unused_window
from quotad.store.connections import Connection, StoreSettings
from quotad.store.failures import ConfigurationMoved, PlanAgain, translated
from quotad.store.rows import reservation_from, window_arrays, windows_from
from quotad.values import LimitsView, Reservation


class OptimisticPath:
    """Plans on what one daemon remembers."""

    def __init__(self, cache: Cache, settings: StoreSettings) -> None:
        self._cache = cache
        self._default_lease = timedelta(seconds=settings.default_lease_seconds)
        self._horizon = timedelta(seconds=settings.horizon_seconds)

    async def usual(self, connection: Connection, tenant_id: str, operations: Sequence[Bound]) -> list[int]:
        """Places of the operations that can go this way; reads the reservations that are not remembered."""
        if not self._cache.clock.is_known:
            self._cache.clock.note(await connection.fetchval(statements.CLOCK))
        await self._recall(connection, tenant_id, operations)
        now = self._cache.clock.now()
        repeated = _repeated_ids(operations)
        return [
            place
            for place, bound in enumerate(operations)
            if bound.reservation_id not in repeated
            and _is_usual(bound, self._cache.open_reservation(tenant_id, bound.reservation_id), now)
        ]

    async def run(
        self, connection: Connection, tenant_id: str, operations: Sequence[Bound]
    ) -> tuple[PlanAnswer | None, ...]:
        """Answer the operations in one call, or raise `PlanAgain`; what did not hold is forgotten then.

        None stands for what must be decided exactly: a refusal that may rest on a hold whose lease has lapsed, and all
        answers where nothing is written and so nothing was verified.
        """
        tenant, state = await self._state(connection, tenant_id, operations)
        try:
            decided = plan(state, operations)
        except WindowMissing:
            await self._load_windows(connection, tenant, state, operations)
            decided = _plan_on_what_was_read(state, operations)
        writes = decided.writes
        if not (writes.reservations or writes.absent_ids):
            return (None,) * len(operations)
        try:
            with translated():
                ends = end_of(operations, state.now)
                row = await connection.fetchrow(
                    statements.APPLY, *apply_arguments(tenant_id, tenant.config_version, state.now, writes, ends)
                )
        except ConfigurationMoved:
            self._cache.forget_tenant(tenant_id)
            raise
        except BaseException:
            self._cache.forget_windows(tenant_id, [write.key for write in writes.windows])
            self._cache.forget_windows(tenant_id, [key for key, _ in writes.checked])
            self._cache.forget_reservations(tenant_id, [bound.reservation_id for bound in operations])
            raise
        if row is None:
            raise PlanAgain
        self._cache.clock.note(row["db_now"])
        after = windows_after(writes, row["held"], row["used"])
        self._cache.note_windows(tenant, after)
        self._cache.note_reservations(tenant_id, [write.reservation for write in writes.reservations])
        answers = decided.answers if not row["has_lapsed"] else [_or_again(answer) for answer in decided.answers]
        drift = drift_of(writes, after)
        return tuple([moved(answer, drift) if drift and answer else answer for answer in answers])

    async def _recall(self, connection: Connection, tenant_id: str, operations: Sequence[Bound]) -> None:
        unknown = [
            bound.reservation_id
            for bound in operations
            if isinstance(bound.operation, Finalize | Release | RenewOne)
            and self._cache.open_reservation(tenant_id, bound.reservation_id) is None
        ]
        if unknown:
            rows = await connection.fetch(statements.RESERVATIONS, tenant_id, unknown)
            self._cache.note_reservations(tenant_id, [reservation_from(row) for row in rows])

    async def _state(
        self, connection: Connection, tenant_id: str, operations: Sequence[Bound]
    ) -> tuple[TenantCache, LedgerState]:
        reservations = {
            bound.reservation_id: reservation
            for bound in operations
            if (reservation := self._cache.open_reservation(tenant_id, bound.reservation_id)) is not None
        }
        tenant = await self._configured(connection, tenant_id, _keys_needed(operations, reservations))
        state = LedgerState(
            tenant_id=tenant_id,
            now=self._cache.clock.now(),
            lease_floor=None,
            default_lease=self._default_lease,
            horizon=self._horizon,
            keys=tenant.keys,
            reservations=reservations,
            windows=tenant.windows,
        )
        return tenant, state

    async def _configured(self, connection: Connection, tenant_id: str, api_key_ids: set[str]) -> TenantCache:
        tenant = self._cache.tenant(tenant_id)
        missing = api_key_ids if tenant is None else api_key_ids - tenant.keys.keys()
        if tenant is None or missing:
            version, keys = await load_configuration(connection, tenant_id, missing)
            tenant = self._cache.note_keys(tenant_id, version, keys)
        if not api_key_ids <= tenant.keys.keys():
            raise PlanAgain
        return tenant

    async def _load_windows(
        self, connection: Connection, tenant: TenantCache, state: LedgerState, operations: Sequence[Bound]
    ) -> None:
        """Read the windows that are not remembered; one without a row holds nothing."""
        missing = {key: reset for key, reset in windows_needed(state, operations).items() if key not in tenant.windows}
        limit_ids, starts, _ = window_arrays(missing)
        found = windows_from(await connection.fetch(statements.WINDOWS, state.tenant_id, limit_ids, starts))
        rules = {
            rule.limit.limit_id: rule
            for bound in operations
            if isinstance(bound.operation, Reserve)
            for rule in state.keys[bound.api_key_id].rules
        }
        unused = {
            key: unused_window(rules[key[0]], reset_time)
            for key, reset_time in missing.items()
            if key not in found and key[0] in rules
        }
        self._cache.note_windows(tenant, found | unused)


def _plan_on_what_was_read(state: LedgerState, operations: Sequence[Bound]) -> Plan:
    """Raises `PlanAgain` where a batch that failed meanwhile made the cache forget a window that was remembered."""
    try:
        return plan(state, operations)
    except WindowMissing as forgotten:
        raise PlanAgain from forgotten


def _repeated_ids(operations: Sequence[Bound]) -> set[str]:
    """Ids that several operations are about."""
    ids = [bound.reservation_id for bound in operations]
    if len(set(ids)) == len(ids):
        return set()
    return {reservation_id for reservation_id, count in Counter(ids).items() if count > 1}


def _is_usual(bound: Bound, found: Reservation | None, now: datetime) -> bool:
    match bound.operation:
        case Reserve():
            return found is None
        case Finalize() | Release() | RenewOne():
            return found is not None and now < found.expire_time
        case _:
            return False


def _keys_needed(operations: Sequence[Bound], reservations: Mapping[str, Reservation]) -> set[str]:
    """Whoever reserves or renews must be allowed to; the limits that an answer lists need their names."""
    needed = set()
    for bound in operations:
        operation = bound.operation
        if isinstance(operation, Reserve):
            needed.add(bound.api_key_id)
        elif isinstance(operation, RenewOne) or (
            isinstance(operation, Finalize | Release) and operation.limits_view is not LimitsView.NONE
        ):
            needed.add(reservations[bound.reservation_id].api_key_id)
    return needed


def _or_again(answer: PlanAnswer) -> PlanAnswer | None:
    return None if is_blocked_by_holds(answer) else answer


def is_blocked_by_holds(answer: PlanAnswer) -> bool:
    """Whether open reservations, lapsed ones among them, take part in a refusal."""
    return isinstance(answer, QuotaExceeded) and any(
        violation.status.held > 0 for violation in answer.denial.violations
    )
