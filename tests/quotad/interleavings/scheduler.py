"""Sessions that move only when they are told to, and every order in which they can be told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from typing import Any

LOOK_SECONDS = 0.001
"""How long a session may take to its next stop before the database is asked whether it waits."""
STEP_SECONDS_MAX = 20.0

IsBlocked = Callable[[int], Awaitable[bool]]
"""Whether the database session of this process id waits for a lock."""
Act = Callable[["Session"], Coroutine[Any, Any, object]]


class Session:
    """A coroutine that stands still at each of its named stops until it is let go."""

    def __init__(self, name: str, act: Act) -> None:
        self.name = name
        self.pid = 0
        """Of its database session."""
        self.at = ""
        self.ended = False
        self.began_at = 0
        self.ended_at = 0
        """The steps of its first move and of its end; 0 before."""
        self._act = act
        self._standing, self._let_go = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[object] | None = None

    def begin(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self, name: str) -> None:
        self.at = name
        self._let_go.clear()
        self._standing.set()
        await self._let_go.wait()

    def let_go(self) -> None:
        self._standing.clear()
        self._let_go.set()

    @property
    def is_standing(self) -> bool:
        """At a stop, or at its end."""
        return self._standing.is_set()

    async def stands(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._standing.wait()
        return self.is_standing

    async def result(self) -> object:
        assert self._task is not None
        return await self._task

    async def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> object:
        try:
            return await self._act(self)
        finally:
            self.ended = True
            self._standing.set()


class Choices:
    """One schedule: which of its options each step takes. Beyond `prefix`, `otherwise` says."""

    def __init__(self, prefix: Sequence[int] = (), otherwise: Callable[[int], int] = lambda _: 0) -> None:
        self.taken: list[tuple[int, int]] = []
        """What was taken, out of how many."""
        self.steps: list[str] = []
        self._prefix = prefix
        self._otherwise = otherwise

    def take(self, options: int) -> int:
        step = len(self.taken)
        wanted = self._prefix[step] if step < len(self._prefix) else self._otherwise(options)
        self.taken.append((min(wanted, options - 1), options))
        return self.taken[-1][0]

    def following(self) -> list[int] | None:
        """The prefix of the next schedule, depth first; None after the last."""
        for step in reversed(range(len(self.taken))):
            choice, options = self.taken[step]
            if choice + 1 < options:
                return [earlier for earlier, _ in self.taken[:step]] + [choice + 1]
        return None

    def __str__(self) -> str:
        return " | ".join(self.steps)


def every_schedule(schedules_max: int) -> Iterator[Choices]:
    """Each schedule once, up to a bound."""
    prefix: list[int] | None = []
    for _ in range(schedules_max):
        if prefix is None:
            return
        choices = Choices(prefix)
        yield choices
        prefix = choices.following()


def some_schedules(count: int, seed: int = 0) -> Iterator[Choices]:
    """`count` schedules by chance, the same ones for the same seed."""
    chance = random.Random(seed)
    for _ in range(count):
        yield Choices(otherwise=chance.randrange)


async def play(
    sessions: Sequence[Session], choices: Choices, is_blocked: IsBlocked, preemptions_max: int | None = None
) -> None:
    """Move the sessions step by step to their ends.

    A preemption is a step of another session while the one that moved last could go on.
    """
    for session in sessions:
        session.begin()
    current: Session | None = None
    preemptions, step = 0, 0
    while True:
        await _settle(sessions, is_blocked)
        for session in sessions:
            if session.ended and not session.ended_at:
                session.ended_at = step
        movable = [session for session in sessions if session.is_standing and not session.ended]
        if not movable:
            return
        step += 1
        chosen, preempts = _choose(movable, current, choices, may_preempt=preemptions != preemptions_max)
        preemptions += preempts
        chosen.began_at = chosen.began_at or step
        choices.steps.append(f"{chosen.name}: {chosen.at}")
        chosen.let_go()
        current = chosen


def _choose(
    movable: Sequence[Session], current: Session | None, choices: Choices, *, may_preempt: bool
) -> tuple[Session, bool]:
    if current is None or current not in movable:
        return movable[choices.take(len(movable))], False
    options = [current, *(session for session in movable if session is not current)] if may_preempt else [current]
    chosen = options[choices.take(len(options))]
    return chosen, chosen is not current


async def _settle(sessions: Sequence[Session], is_blocked: IsBlocked) -> None:
    """Until each session stands, or waits for a lock while another one stands; where none does, Postgres decides."""
    before: list[bool] = []
    async with asyncio.timeout(STEP_SECONDS_MAX):
        while before != (standing := [session.is_standing for session in sessions]) or not all(standing):
            if before == standing and any(session.is_standing and not session.ended for session in sessions):
                return
            before = standing
            for session in sessions:
                while not await session.stands(LOOK_SECONDS) and not await is_blocked(session.pid):
                    pass
