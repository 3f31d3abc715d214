"""Repeating what has no definite answer yet, with the same content, until its time is up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc
import stamina

from quotad.client.types import ClientClosed, OutcomeUnknown
from quotad.errors import QuotaError, Unavailable

RETRY_PAUSE_SECONDS_MIN = 0.05
RETRY_PAUSE_SECONDS_MAX = 1.0

RETRIED = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED},
)
"""Indefinite outcomes that another attempt may resolve; INTERNAL and UNKNOWN would only fail again."""

Value = TypeVar("Value")


async def repeated(
    attempt: Callable[[float], Awaitable[Value]], *, call_timeout_seconds: float, retry_seconds: float
) -> Value:
    """Try, each time for the seconds that are left, at most `call_timeout_seconds`; raises what the last try raised.

    A refusal after tries of unknown outcome has one of them as its cause: see `is_in_doubt`.
    """
    ends = asyncio.get_running_loop().time() + retry_seconds
    try:
        return await attempt(min(call_timeout_seconds, retry_seconds))
    except (OutcomeUnknown, Unavailable) as error:
        last: OutcomeUnknown | Unavailable = error
    pause_max = min(RETRY_PAUSE_SECONDS_MAX, retry_seconds / 4)

    def pause(error: Exception) -> bool | float:
        return _pause(error, ends - asyncio.get_running_loop().time(), pause_max)

    async for turn in stamina.retry_context(
        pause,
        attempts=None,
        timeout=None,
        wait_initial=RETRY_PAUSE_SECONDS_MIN,
        wait_max=pause_max,
        wait_jitter=0.05,
    ):
        with turn:
            seconds = ends - asyncio.get_running_loop().time()
            # The first try's pause is due now; and a pause may take longer than it should.
            if turn.num == 1 or seconds <= 0:
                raise last
            try:
                return await attempt(min(call_timeout_seconds, seconds))
            except (OutcomeUnknown, Unavailable) as error:
                last = error
                raise
            except QuotaError as refused:
                raise refused from last
    raise AssertionError("a retry context ends by an answer or an error")


def is_in_doubt(refused: QuotaError) -> bool:
    """Whether an earlier try, whose outcome is unknown, may still be carried out."""
    return isinstance(refused.__cause__, OutcomeUnknown | Unavailable)


def _pause(error: Exception, seconds_left: float, pause_max: float) -> bool | float:
    """Seconds to wait before another attempt, True for the usual back-off, False where none is due."""
    if isinstance(error, Unavailable):
        asked = max(error.retry_after.total_seconds(), RETRY_PAUSE_SECONDS_MIN)
        return asked if asked < seconds_left else False
    if isinstance(error, ClientClosed):
        return False
    return isinstance(error, OutcomeUnknown) and error.code in RETRIED and pause_max < seconds_left
