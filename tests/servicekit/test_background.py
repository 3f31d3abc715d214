from __future__ import annotations

import asyncio

from servicekit.background import in_background


async def test_a_loop_runs_for_the_length_of_its_block_and_cleans_up_before_it_ends() -> None:
    seen: list[str] = []

    async def loop() -> None:
        seen.append("began")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            seen.append("ended")

    async with in_background(loop(), "a loop"):
        await asyncio.sleep(0)
        assert seen == ["began"]
    assert seen == ["began", "ended"]
