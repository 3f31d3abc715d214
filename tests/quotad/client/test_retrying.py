"""Repeats within a bounded time."""

import asyncio
import time
from datetime import timedelta

import pytest

from quotad.client.retrying import repeated
from quotad.errors import Overloaded


async def test_nothing_is_tried_when_the_time_is_up() -> None:
    """A pause that a busy process made too long: a try without any time would be refused as invalid."""
    asked: list[float] = []

    async def attempt(seconds: float) -> None:
        asked.append(seconds)
        asyncio.get_running_loop().call_later(0.04, time.sleep, 0.1)
        raise Overloaded("busy", retry_after=timedelta(seconds=0.05))

    with pytest.raises(Overloaded):
        await repeated(attempt, call_timeout_seconds=1.0, retry_seconds=0.08)
    assert len(asked) == 1
