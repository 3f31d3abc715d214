"""Waiting for a fact instead of for a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

Value = TypeVar("Value")

STEP_SECONDS = 0.02


class NeverHappened(AssertionError):
    """The fact did not become true before its deadline."""


@overload
async def eventually(
    check: Callable[[], Awaitable[Value]], seconds: float = ..., *, step_seconds: float = ...
) -> Value: ...
@overload
async def eventually(check: Callable[[], Value], seconds: float = ..., *, step_seconds: float = ...) -> Value: ...
async def eventually(
    check: Callable[[], object], seconds: float = 10.0, *, step_seconds: float = STEP_SECONDS
) -> object:
    """Ask `check`, plain or async, until its answer is true; return that. `NeverHappened` names the last answer."""
    deadline = time.monotonic() + seconds
    while True:
        answer = check()
        value = await answer if isinstance(answer, Awaitable) else answer
        if value:
            return value
        if time.monotonic() > deadline:
            raise NeverHappened(f"not true within {seconds} s; the last answer was {value!r}")
        await asyncio.sleep(step_seconds)


def eventually_now(check: Callable[[], Value], seconds: float = 10.0, *, step_seconds: float = STEP_SECONDS) -> Value:
    """`eventually` for code without an event loop."""
    deadline = time.monotonic() + seconds
    while not (value := check()):
        if time.monotonic() > deadline:
            raise NeverHappened(f"not true within {seconds} s; the last answer was {value!r}")
        time.sleep(step_seconds)
    return value
