"""The load process: reads a `LoadSpec` from standard input, does its work, prints a `LoadResult`.

python -m benchmarks.ledger.load < spec.json
"""

from __future__ import annotations

import asyncio
import os
import sys
from array import array
from collections.abc import Awaitable, Callable
from time import perf_counter

import uuid_utils
import uvloop

from benchmarks.ledger.drivers import Calls, open_calls
from benchmarks.ledger.measuring import cpu_seconds, latency, spent
from benchmarks.ledger.method import RENEW_EVERY
from benchmarks.ledger.spec import LoadResult, LoadSpec, Work

ERRORS_MAX = 1_000
"""A contender that fails more often than that is not measured to the end."""
STOP_SECONDS_MAX = 60.0
"""For the calls under way when the time is up."""
LAPSE_LEAD_SECONDS = 2.0
"""From the last hold made to the moment at which all of them lapse."""


class TooManyErrors(RuntimeError):
    """The contender does not work; the message is its first error."""


class Load:
    """The tasks of one load and what they have counted."""

    def __init__(self, spec: LoadSpec, calls: Calls) -> None:
        self.spec = spec
        self.calls = calls
        self.started = 0
        """Reservations begun so far; its number chooses a reservation's key."""
        self.errors = 0
        self.first_error = ""
        self.forget()
        self.running = True

    def forget(self) -> None:
        """Begin to measure: what was counted before was warm-up. Errors of the warm-up stay."""
        self.pairs = self.operations = self.refused = 0
        self.reserves, self.finalizes = array("d"), array("d")

    def next_key(self) -> int:
        self.started += 1
        return self.started

    async def reserve(self, reservation_id: str, key: int, lease_seconds: float | None = None) -> bool:
        began = perf_counter()
        admitted = await self.calls.reserve(reservation_id, key, lease_seconds or self.spec.lease_seconds)
        self.reserves.append(perf_counter() - began)
        self.operations += 1
        self.refused += not admitted
        return admitted

    async def pair(self) -> None:
        key, reservation_id = self.next_key(), new_id()
        if not await self.reserve(reservation_id, key):
            return
        if key % RENEW_EVERY == 0:
            await self.calls.renew(reservation_id, key)
            self.operations += 1
        began = perf_counter()
        await self.calls.finalize(reservation_id, key)
        self.finalizes.append(perf_counter() - began)
        self.operations += 1
        self.pairs += 1

    async def refusal(self) -> None:
        await self.reserve(new_id(), self.next_key())

    async def repeat(self, step: Callable[[], Awaitable[object]]) -> None:
        """One task: the step again and again until the load is told to stop."""
        while self.running:
            try:
                await step()
            except Exception as exc:  # noqa: BLE001 - counted, and told with the result; too many of them end the load
                self.note(exc)

    def note(self, error: Exception) -> None:
        self.errors += 1
        self.first_error = self.first_error or f"{type(error).__name__}: {error}"
        if self.errors > ERRORS_MAX:
            self.running = False

    def result(self, seconds: float, cpu: dict[str, float]) -> LoadResult:
        if self.errors > ERRORS_MAX:
            raise TooManyErrors(self.first_error)
        return LoadResult(
            seconds=seconds,
            pairs=self.pairs,
            operations=self.operations,
            refused=self.refused,
            errors=self.errors,
            first_error=self.first_error,
            reserve=latency(self.reserves),
            finalize=latency(self.finalizes),
            cpu_seconds=cpu,
        )


async def run(spec: LoadSpec) -> LoadResult:
    """Do what the spec says; raises `TooManyErrors`."""
    calls = await open_calls(spec)
    try:
        load = Load(spec, calls)
        match spec.work:
            case Work.PAIRS:
                return await _timed(load, load.pair)
            case Work.REFUSALS:
                return await _timed(load, load.refusal)
            case Work.RACE:
                return await _races(load)
            case Work.HOLDS:
                return await _holds(load)
            case Work.LAPSE:
                return await _lapse(load)
    finally:
        await calls.close()


async def _timed(load: Load, step: Callable[[], Awaitable[object]]) -> LoadResult:
    """All tasks repeat the step through warm-up and measured time."""
    watched = {"client": os.getpid(), **load.spec.watched}
    tasks = [asyncio.create_task(load.repeat(step)) for _ in range(load.spec.tasks)]
    try:
        await _while_working(tasks, load.spec.warm_up_seconds)
        load.forget()
        before, began = cpu_seconds(watched), perf_counter()
        await _while_working(tasks, load.spec.measured_seconds)
        return load.result(perf_counter() - began, spent(before, cpu_seconds(watched)))
    finally:
        load.running = False
        await _end(tasks)


async def _while_working(tasks: list[asyncio.Task[None]], seconds: float) -> None:
    """Wait; not any longer once every task has given up."""
    await asyncio.wait(tasks, timeout=seconds)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Let the calls under way be answered; a contender that hangs does not hang the run."""
    _, hanging = await asyncio.wait(tasks, timeout=STOP_SECONDS_MAX)
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


async def _races(load: Load) -> LoadResult:
    """In each race all tasks reserve on one key until they are refused."""
    began, admitted = perf_counter(), []
    for race in range(load.spec.keys.count):
        counts = await asyncio.gather(*(_until_refused(load, race) for _ in range(load.spec.tasks)))
        admitted.append(sum(counts))
    result = load.result(perf_counter() - began, {})
    return LoadResult(result.seconds, operations=result.operations, refused=result.refused, admitted=tuple(admitted))


async def _until_refused(load: Load, key: int) -> int:
    admitted = 0
    while await load.reserve(new_id(), key):
        admitted += 1
    return admitted


async def _holds(load: Load) -> LoadResult:
    began = perf_counter()
    await _make_holds(load, lambda: None)
    return load.result(perf_counter() - began, {})


async def _make_holds(load: Load, lease_seconds: Callable[[], float | None]) -> None:
    async def make() -> None:
        while load.started < load.spec.count:
            await load.reserve(new_id(), load.next_key(), lease_seconds())

    await asyncio.gather(*(make() for _ in range(load.spec.tasks)))


async def _lapse(load: Load) -> LoadResult:
    """Holds whose leases all end at one moment; measured from a second before it on."""
    first = perf_counter()
    await load.reserve(new_id(), load.next_key())
    await _calibrate(load)
    ends = perf_counter() + _seconds_for(load, perf_counter() - first) + LAPSE_LEAD_SECONDS
    await _make_holds(load, lambda: max(1.0, ends - perf_counter()))
    late = perf_counter() - ends
    if late > 0:
        raise TooManyErrors(f"the holds were made {late:.1f} s too slowly to lapse together")
    await asyncio.sleep(max(0.0, ends - perf_counter() - 1.0))
    return await _timed(load, load.pair)


async def _calibrate(load: Load) -> None:
    """The first hundredth of the holds, at the speed of the rest, with a lease that outlives the load."""
    tenth = max(load.spec.tasks, load.spec.count // 100)

    async def make() -> None:
        while load.started < tenth:
            await load.reserve(new_id(), load.next_key())

    await asyncio.gather(*(make() for _ in range(load.spec.tasks)))


def _seconds_for(load: Load, so_far: float) -> float:
    """Generous: a hold made too late could not lapse with the others."""
    return so_far / load.started * (load.spec.count - load.started) * 2.0


def new_id() -> str:
    return str(uuid_utils.uuid7())


def main() -> None:
    spec = LoadSpec.from_json(sys.stdin.read())
    print(uvloop.run(run(spec)).to_json())


if __name__ == "__main__":
    main()
