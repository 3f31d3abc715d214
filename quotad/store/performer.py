"""From operations to the batches of their tenants, and from these back to one answer per operation."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from quotad.core.operations import Answer, Bound, ExpireAnswer, Operation, Renew, RenewAnswer, RenewOne
from quotad.core.validation import check_operation
from quotad.errors import Overloaded, QuotaError
from quotad.store.connections import Connections
from quotad.store.failures import ConfigurationMoved
from quotad.store.lanes import Lanes, Outcome
from quotad.store.resolution import Resolver, Target

LOOK_UPS_MAX = 10
"""How often keys are looked up again because the configuration moved, before it answers `OVERLOADED`."""


class Task:
    """One operation on its way to its answer."""

    __slots__ = ("answer", "ends_at", "operation", "target")

    def __init__(self, operation: Operation, ends_at: float) -> None:
        self.operation = operation
        self.ends_at = ends_at
        self.target: Target | None = None
        self.answer: Answer | Exception | None = None

    def bound(self, target: Target) -> list[Bound]:
        """What the tenant's lane is given for it: a Renew is one operation for each of its ids."""
        operation = self.operation
        if isinstance(operation, Renew):
            return [Bound(RenewOne(id_, operation.lease), "", None, self.ends_at) for id_ in operation.reservation_ids]
        return [Bound(operation, target.api_key_id, target.config_version, self.ends_at)]

    def take(self, outcomes: Sequence[Outcome]) -> None:
        """What came of it; where the configuration has moved it stays without an answer and is looked up again."""
        if any(isinstance(outcome, ConfigurationMoved) for outcome in outcomes):
            self.target = None
        elif isinstance(self.operation, Renew):
            self.answer = _renewals(outcomes)
        else:
            self.answer = _plain(outcomes[0])


class Performer:
    """Looks up whose rows each operation is about, and sends it down the tenant's lane."""

    def __init__(self, connections: Connections, resolver: Resolver, lanes: Lanes) -> None:
        self._connections = connections
        self._resolver = resolver
        self._lanes = lanes

    async def perform(self, operations: Sequence[Operation], ends_at: Sequence[float]) -> list[Answer | Exception]:
        """One answer per operation, in order."""
        tasks = [Task(operation, end) for operation, end in zip(operations, ends_at, strict=True)]
        left = tasks
        for _ in range(LOOK_UPS_MAX):
            await self._find_targets(left)
            await self._run([task for task in left if task.answer is None])
            left = [task for task in left if task.answer is None]
            if not left:
                break
        busy = Overloaded("the configuration of this tenant is too busy")
        return [task.answer or busy for task in tasks]

    async def _find_targets(self, tasks: Sequence[Task]) -> None:
        unknown = []
        for task in tasks:
            try:
                check_operation(task.operation)
                task.target = self._resolver.known(task.operation)
            except QuotaError as error:
                task.answer = error
            else:
                if task.target is None:
                    unknown.append(task)
        if unknown:
            await self._look_up(unknown)

    async def _look_up(self, tasks: Sequence[Task]) -> None:
        try:
            async with self._connections.acquire() as connection:
                for task in tasks:
                    try:
                        known = self._resolver.known(task.operation)
                        task.target = known or await self._resolver.look_up(connection, task.operation)
                    except QuotaError as error:
                        task.answer = error
        except QuotaError as away:
            for task in tasks:
                if task.target is None and task.answer is None:
                    task.answer = away

    async def _run(self, tasks: Sequence[Task]) -> None:
        """Send each tenant's operations as one group, and wait for all of them."""
        by_tenant: dict[str, list[Task]] = {}
        for task in tasks:
            if task.target is not None:
                by_tenant.setdefault(task.target.tenant_id, []).append(task)
        groups = [self._submit(tenant_id, group) for tenant_id, group in by_tenant.items()]
        try:
            for outcomes, group in groups:
                _hand_out(await outcomes, group)
        except asyncio.CancelledError:
            for outcomes, _ in groups:
                outcomes.cancel()
            raise

    def _submit(self, tenant_id: str, tasks: Sequence[Task]) -> tuple[asyncio.Future[list[Outcome]], Sequence[Task]]:
        operations = [bound for task in tasks if task.target is not None for bound in task.bound(task.target)]
        try:
            return self._lanes.submit(tenant_id, operations), tasks
        except Overloaded as overloaded:
            refused: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
            refused.set_result([overloaded] * len(operations))
            return refused, tasks


def _hand_out(outcomes: Sequence[Outcome], tasks: Sequence[Task]) -> None:
    place = 0
    for task in tasks:
        operation = task.operation
        count = len(operation.reservation_ids) if isinstance(operation, Renew) else 1
        task.take(outcomes[place : place + count])
        place += count


def _renewals(outcomes: Sequence[Outcome]) -> Answer | Exception:
    """One answer for all ids; what kept a single one from having any is the answer to the call."""
    answers = []
    for outcome in outcomes:
        if not isinstance(outcome, RenewAnswer):
            return outcome if isinstance(outcome, Exception) else TypeError("no answer to a renewal")
        answers.append(outcome)
    return tuple(answers)


def _plain(outcome: Outcome) -> Answer | Exception:
    if isinstance(outcome, RenewAnswer | ExpireAnswer):
        return TypeError(f"{type(outcome).__name__} is no answer to an operation")
    return outcome
