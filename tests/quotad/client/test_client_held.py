from __future__ import annotations

import asyncio

import pytest

from quotad import errors as e
from quotad.client import OutcomeUnknown
from quotad.client.types import Reservation, ReservationState
from tests.support.daemons import Daemon, limit
from tests.support.waiting import eventually


async def read(daemon: Daemon, reservation_id: str) -> Reservation:
    async with daemon.data() as client:
        return await client.get_reservation(reservation_id)


async def test_a_finalized_block_is_charged_once(daemon: Daemon) -> None:
    """S1, S2: one settlement per request, with the reported usage."""
    key = await daemon.create_key()
    async with daemon.data() as client:
        async with client.reservation(api_key=key.secret, model="m", amounts={"total_tokens": 100}) as held:
            await held.finalize({"total_tokens": 30})
        (status,) = (await client.describe_key(api_key=key.secret)).limits
    assert (status.used, status.held) == (30, 0)


async def test_a_block_that_ends_without_usage_is_released(daemon: Daemon) -> None:
    """S12: every way out ends the hold."""
    key = await daemon.create_key()
    async with daemon.data() as client:
        async with client.reservation(api_key=key.secret, model="m", amounts={"total_tokens": 9}) as held:
            pass
    assert (await read(daemon, held.reservation_id)).state is ReservationState.RELEASED


async def test_a_block_that_raises_is_released(daemon: Daemon) -> None:
    """S12: an exception ends the hold and goes on."""
    key = await daemon.create_key()
    async with daemon.data() as client:
        with pytest.raises(ZeroDivisionError):
            async with client.reservation(
                api_key=key.secret, model="m", amounts={"total_tokens": 9}, reservation_id="one"
            ):
                _ = 1 / 0
    assert (await read(daemon, "one")).state is ReservationState.RELEASED


async def test_a_block_that_is_cancelled_is_released(daemon: Daemon) -> None:
    """S12: cancellation ends the hold."""
    key = await daemon.create_key()
    entered = asyncio.Event()
    async with daemon.data() as client:

        async def work() -> None:
            amounts = {"total_tokens": 9}
            async with client.reservation(api_key=key.secret, model="m", amounts=amounts, reservation_id="one"):
                entered.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (await read(daemon, "one")).state is ReservationState.RELEASED


async def test_usage_that_was_tried_is_repeated_and_never_released(daemon: Daemon) -> None:
    """Who may release: once a Finalize was tried, the block's end repeats it with what was decided first."""
    key = await daemon.create_key()
    async with daemon.data(call_timeout_seconds=0.3, retry_seconds=0.6) as client:
        async with client.reservation(api_key=key.secret, model="m", amounts={"total_tokens": 100}) as held:
            async with daemon.windows_locked():
                with pytest.raises((OutcomeUnknown, e.Unavailable)):
                    await held.finalize({"total_tokens": 42})
                with pytest.raises((OutcomeUnknown, e.Unavailable)):
                    await held.finalize({"total_tokens": 1})
    settled = await read(daemon, held.reservation_id)
    assert (settled.state, settled.actual["total_tokens"]) == (ReservationState.FINALIZED, 42)


async def test_usage_that_cannot_be_charged_is_not_lost_in_silence(daemon: Daemon) -> None:
    """B5: the block raises, and the hold is not released."""
    key = await daemon.create_key()
    async with daemon.data(call_timeout_seconds=0.3, retry_seconds=0.5) as client:
        held = client.reservation(
            api_key=key.secret, model="m", amounts={"total_tokens": 100}, reservation_id="one", lease_seconds=600
        )
        await held.__aenter__()
        async with daemon.windows_locked():
            with pytest.raises((OutcomeUnknown, e.Unavailable)):
                await held.finalize({"total_tokens": 42})
            with pytest.raises((OutcomeUnknown, e.Unavailable)):
                await held.__aexit__(None, None, None)
    assert (await read(daemon, "one")).state is not ReservationState.RELEASED


async def test_a_reserve_whose_outcome_is_unknown_is_fenced(daemon: Daemon) -> None:
    """S7: nothing will be served under it, so the same id is released."""
    key = await daemon.create_key()
    async with daemon.data(call_timeout_seconds=0.3, retry_seconds=0.5) as client:
        async with client.reservation(api_key=key.secret, model="m", amounts={"total_tokens": 9}):
            pass
        async with daemon.used_windows_locked():
            with pytest.raises((OutcomeUnknown, e.Unavailable)):
                await client.reservation(
                    api_key=key.secret, model="m", amounts={"total_tokens": 9}, reservation_id="one"
                ).__aenter__()
    assert (await read(daemon, "one")).state is ReservationState.RELEASED


async def test_a_refused_block_is_not_entered(daemon: Daemon) -> None:
    """S7: a definite refusal needs no Release."""
    key = await daemon.create_key(limit(max_value=5))
    async with daemon.data() as client:
        with pytest.raises(e.RequestExceedsLimit):
            async with client.reservation(
                api_key=key.secret, model="m", amounts={"total_tokens": 9}, reservation_id="one"
            ):
                raise AssertionError("nothing is held")
        with pytest.raises(e.ReservationNotFound):
            await client.get_reservation("one")


async def test_the_lease_is_renewed_while_the_block_runs(daemon: Daemon) -> None:
    """B1: a lease as short as a second outlives its length as long as its holder lives."""
    key = await daemon.create_key()
    async with daemon.data() as client:
        async with client.reservation(
            api_key=key.secret, model="m", amounts={"total_tokens": 9}, lease_seconds=1
        ) as held:
            granted = held.grant.reservation.expire_time

            async def is_renewed() -> bool:
                found = await client.get_reservation(held.reservation_id)
                return found.state is ReservationState.RESERVED and found.expire_time > granted

            await eventually(is_renewed)


async def test_parallel_blocks_never_pass_the_limit(daemon: Daemon) -> None:
    """Q5: the admitted number never exceeds the quota."""
    key = await daemon.create_key(limit("requests", 5))
    everybody_tried = asyncio.Barrier(20)
    async with daemon.data() as client:

        async def attempt() -> bool:
            try:
                async with client.reservation(api_key=key.secret, model="m", amounts={}):
                    await everybody_tried.wait()
                    return True
            except e.QuotaExceeded:
                await everybody_tried.wait()
                return False

        admitted = await asyncio.gather(*(attempt() for _ in range(20)))
    assert sum(admitted) == 5
