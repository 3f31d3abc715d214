"""From operations to the batches of their tenants, and from these back to one answer per operation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from quotad.core.operations import Answer, Bound, ExpireAnswer, Operation, Renew, RenewAnswer, RenewOne
from quotad.core.validation import check_operation
from quotad.errors import CallerNotAllowed, Overloaded, QuotaError
from quotad.store.connections import Connections
from quotad.store.failures import ConfigurationMoved
from quotad.store.lanes import Lanes, Outcome
from quotad.store.resolution import Resolver, Target

LOOK_UPS_MAX = 10
"""How often keys are looked up again because the configuration moved, before it answers `OVERLOADED`."""


MayTouch: TypeAlias = Callable[[str], bool]
"""Whether the caller may touch a tenant."""


def every_tenant(_tenant_id: str) -> bool:
    return True


def require_touchable(tenant_id: str, may_touch: MayTouch) -> None:
    """Raise `CallerNotAllowed` for a tenant that the caller may not touch."""
    if not may_touch(tenant_id):
        raise _untouchable(tenant_id)


def _untouchable(tenant_id: str) -> CallerNotAllowed:
    return CallerNotAllowed("the caller's token may not touch this tenant", metadata={"tenant_id": tenant_id})


class Errand:
    """What one tenant's lane is given of a call: operations, and whose answers they are part of."""

    __slots__ = ("bound", "places")

    def __init__(self) -> None:
        self.bound: list[Bound] = []
        self.places: list[int] = []

    def add(self, place: int, operation: Operation, target: Target, ends_at: float) -> None:
        """A Renew is one operation for each of its ids."""
        if isinstance(operation, Renew):
            for reservation_id in operation.reservation_ids:
                self.bound.append(Bound(RenewOne(reservation_id, operation.lease), ends_at=ends_at))
                self.places.append(place)
        else:
            self.bound.append(Bound(operation, *target[1:], ends_at=ends_at))
            self.places.append(place)


class Call:
    """Operations on their way to their answers; None is one that has no answer yet."""

    __slots__ = ("answers", "ends_at", "operations")

    def __init__(self, operations: Sequence[Operation], ends_at: Sequence[float]) -> None:
        self.operations = operations
        self.ends_at = ends_at
        self.answers: list[Answer | Exception | None] = [None] * len(operations)

    @property
    def left(self) -> list[int]:
        return [place for place, answer in enumerate(self.answers) if answer is None]

    def take(self, errand: Errand, outcomes: Sequence[Outcome]) -> None:
        """What came of an errand; where the configuration has moved the operations stay without an answer."""
        moved = []
        for place, outcome in zip(errand.places, outcomes, strict=True):
            if isinstance(outcome, RenewAnswer):
                self._add_renewal(place, outcome)
            elif isinstance(outcome, ConfigurationMoved | ExpireAnswer):
                moved.append(place)
            else:
                self.answers[place] = outcome
        for place in moved:
            self.answers[place] = None

    def refuse(self, errand: Errand, error: QuotaError) -> None:
        for place in errand.places:
            self.answers[place] = error

    def _add_renewal(self, place: int, outcome: RenewAnswer) -> None:
        """One answer for all ids; what kept a single one from having any is the answer to the call."""
        found = self.answers[place]
        if found is None or isinstance(found, tuple):
            self.answers[place] = (*(found or ()), outcome)


class Performer:
    """Looks up whose rows each operation is about, and sends it down the tenant's lane."""

    def __init__(self, connections: Connections, resolver: Resolver, lanes: Lanes) -> None:
        self._connections = connections
        self._resolver = resolver
        self._lanes = lanes

    async def perform(
        self, operations: Sequence[Operation], ends_at: Sequence[float], may_touch: MayTouch
    ) -> list[Answer | Exception]:
        """One answer per operation, in order."""
        call = Call(operations, ends_at)
        left = list(range(len(operations)))
        for _ in range(LOOK_UPS_MAX):
            await self._run(call, await self._errands(call, left, may_touch))
            left = call.left
            if not left:
                break
        busy = Overloaded("the configuration of this tenant is too busy")
        return [busy if answer is None else answer for answer in call.answers]

    async def _errands(self, call: Call, places: Sequence[int], may_touch: MayTouch) -> dict[str, Errand]:
        """The operations by tenant, each tenant's in the order given; what cannot be sent is answered."""
        targets: list[tuple[int, Target | None]] = []
        for place in places:
            operation = call.operations[place]
            try:
                check_operation(operation)
                targets.append((place, self._resolver.known(operation)))
            except QuotaError as error:
                call.answers[place] = error
        if None in [target for _, target in targets]:
            targets = await self._look_up(call, targets)
        errands: dict[str, Errand] = {}
        for place, target in targets:
            if target is None:
                continue
            errand = errands.get(target.tenant_id)
            if errand is None:
                errand = errands[target.tenant_id] = Errand()
            errand.add(place, call.operations[place], target, call.ends_at[place])
        for tenant_id in [tenant_id for tenant_id in errands if not may_touch(tenant_id)]:
            call.refuse(errands.pop(tenant_id), _untouchable(tenant_id))
        return errands

    async def _look_up(
        self, call: Call, targets: Sequence[tuple[int, Target | None]]
    ) -> list[tuple[int, Target | None]]:
        found: list[tuple[int, Target | None]] = []
        try:
            async with self._connections.acquire() as connection:
                for place, known in targets:
                    operation = call.operations[place]
                    try:
                        target = known or self._resolver.known(operation)
                        found.append((place, target or await self._resolver.look_up(connection, operation)))
                    except QuotaError as error:
                        call.answers[place] = error
        except QuotaError as away:
            done = {place for place, _ in found}
            for place, _ in targets:
                if place not in done and call.answers[place] is None:
                    call.answers[place] = away
        return found

    async def _run(self, call: Call, errands: Mapping[str, Errand]) -> None:
        """Send each tenant's operations as one group, and wait for all of them."""
        under_way = [(errand, self._submit(tenant_id, errand.bound)) for tenant_id, errand in errands.items()]
        try:
            for errand, outcomes in under_way:
                call.take(errand, await outcomes)
        except asyncio.CancelledError:
            for _, outcomes in under_way:
                outcomes.cancel()
            raise

    def _submit(self, tenant_id: str, operations: Sequence[Bound]) -> asyncio.Future[list[Outcome]]:
        try:
            return self._lanes.submit(tenant_id, operations)
        except Overloaded as overloaded:
            refused: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
            refused.set_result([overloaded] * len(operations))
            return refused
