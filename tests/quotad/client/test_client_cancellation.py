"""Whoever is cancelled, wherever it is: a reservation as a block ends in exactly one way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quotad import errors as e
from quotad.client import OutcomeUnknown, QuotaClient
from quotad.client.types import ReservationState
from tests.support.cancelling import Cancelled, When
from tests.support.daemons import DATA_TOKEN, Daemon, limit
from tests.support.streams import Fate, StreamRelay, stream_relay

HELD, CHARGED = 10, 3


class Way(Enum):
    """How a block is left if nobody cancels it."""

    FINALIZED = "finalized"
    FINALIZED_TWICE = "finalized twice"
    FAILED_AFTER_FINALIZE = "failed after Finalize"
    FAILED_BEFORE_FINALIZE = "failed before Finalize"
    WITHOUT_USAGE = "without usage"


class BlockFailed(Exception):
    """What a block raises itself."""


@dataclass(slots=True)
class Blocks:
    """Blocks that ran, and which of them tried to finalize."""

    client: QuotaClient
    secret: str
    ids: list[str] = field(default_factory=list)
    tried: set[str] = field(default_factory=set)

    async def run(self, way: Way, cancelled_at: dict[int, When], prefix: str = "block") -> int:
        """One block in a task of its own; how often it waited."""
        reservation_id = f"{prefix}-{len(self.ids)}"
        self.ids.append(reservation_id)
        block = Cancelled(self._block(reservation_id, way), cancelled_at)
        task = asyncio.create_task(awaited(block))
        with suppress(asyncio.CancelledError, BlockFailed):
            await task
        return block.waits

    async def _block(self, reservation_id: str, way: Way) -> None:
        async with self.client.reservation(
            api_key=self.secret, model="m", amounts={"total_tokens": HELD}, reservation_id=reservation_id
        ) as held:
            await asyncio.sleep(0)
            if way is Way.FAILED_BEFORE_FINALIZE:
                raise BlockFailed
            if way is not Way.WITHOUT_USAGE:
                self.tried.add(reservation_id)
                await held.finalize({"total_tokens": CHARGED})
            if way is Way.FINALIZED_TWICE:
                await held.finalize({"total_tokens": CHARGED + 1})
            await asyncio.sleep(0)
            if way is Way.FAILED_AFTER_FINALIZE:
                raise BlockFailed


async def awaited(block: Cancelled) -> None:
    await block


@asynccontextmanager
async def blocks_over(daemon: Daemon, relay: StreamRelay) -> AsyncIterator[Blocks]:
    """Blocks that all keep the rule "who may release", as the ledger and the messages on the way show in the end."""
    key = await daemon.create_key(limit(max_value=10**9))
    async with QuotaClient(relay.address, DATA_TOKEN) as client:
        blocks = Blocks(client, key.secret)
        yield blocks
    async with daemon.data() as reader:
        for reservation_id in blocks.ids:
            assert await ending(reader, reservation_id) == expected(blocks, relay, reservation_id), reservation_id
        (status,) = (await reader.describe_key(api_key=key.secret)).limits
    assert (status.used, status.held) == (CHARGED * len(blocks.tried), 0)


def expected(blocks: Blocks, relay: StreamRelay, reservation_id: str) -> tuple[ReservationState | None, int]:
    """What becomes of a block, after what it did; asserts that nothing else was ever asked."""
    asked = set(relay.operations(reservation_id))
    if reservation_id in blocks.tried:
        assert "release" not in asked
        return ReservationState.FINALIZED, CHARGED
    assert "finalize" not in asked
    return ReservationState.RELEASED if "release" in asked else None, 0


async def ending(reader: QuotaClient, reservation_id: str) -> tuple[ReservationState | None, int]:
    """The state, None for an id that was never seen, and what was charged."""
    try:
        reservation = await reader.get_reservation(reservation_id)
    except e.ReservationNotFound:
        return None, 0
    return reservation.state, reservation.actual.get("total_tokens", 0)


@pytest.mark.parametrize("way", Way)
async def test_a_block_cancelled_at_any_wait_is_settled_once_and_rightly(daemon: Daemon, way: Way) -> None:
    """S12: every wait, before and after what it waits for; a Finalize that was tried is never followed by a Release."""
    async with stream_relay(daemon.address) as relay, blocks_over(daemon, relay) as blocks:
        waits = await blocks.run(way, {})
        assert waits >= 3
        for place in range(1, waits + 1):
            for when in When:
                await blocks.run(way, {place: when})


@pytest.mark.parametrize("way", [Way.FINALIZED, Way.FAILED_BEFORE_FINALIZE])
async def test_a_block_cancelled_at_any_two_waits_is_settled_once_and_rightly(daemon: Daemon, way: Way) -> None:
    """S12: the second cancellation meets the settlement that the first one began."""
    async with stream_relay(daemon.address) as relay, blocks_over(daemon, relay) as blocks:
        waits = await blocks.run(way, {})
        for first in range(1, waits + 1):
            for second in range(first + 1, waits + 2):
                for when in When:
                    await blocks.run(way, {first: when, second: When.BEFORE})


FATES = st.sampled_from([Fate.ANSWERED, Fate.REQUEST_LOST, Fate.ANSWER_LOST])
CANCELLATIONS = st.dictionaries(st.integers(1, 10), st.sampled_from(When), max_size=2)
BLOCKS = st.lists(st.tuples(st.sampled_from(Way), CANCELLATIONS), min_size=1, max_size=4)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(planned=BLOCKS, fates=st.lists(FATES, max_size=4))
async def test_blocks_are_settled_once_whoever_is_cancelled_and_whatever_is_lost(
    daemon: Daemon, planned: list[tuple[Way, dict[int, When]]], fates: list[Fate]
) -> None:
    """S7, S12, B3: blocks side by side, cancelled anywhere, over streams that break at any message."""
    async with stream_relay(daemon.address) as relay:
        left = iter(fates)
        relay.fate = lambda message: next(left, Fate.ANSWERED)
        async with blocks_over(daemon, relay) as blocks:
            prefix = str(uuid4())
            await asyncio.gather(*(blocks.run(way, cancelled_at, prefix) for way, cancelled_at in planned))


async def test_usage_is_charged_though_the_client_is_closed_and_its_closer_cancelled(daemon: Daemon) -> None:
    """S12: a stop of the whole program waits for what it had begun to settle."""
    key = await daemon.create_key()
    client = QuotaClient(daemon.address, DATA_TOKEN)
    held = await client.reservation(
        api_key=key.secret, model="m", amounts={"total_tokens": HELD}, reservation_id="one"
    ).__aenter__()
    async with daemon.reservations_locked():
        leaving = asyncio.create_task(held.__aexit__(None, None, None))
        await daemon.someone_waits()
        leaving.cancel()
        closing = asyncio.create_task(client.close())
        await asyncio.wait([closing], timeout=0.05)
        closing.cancel()
        await asyncio.wait([closing, leaving])
        assert closing.cancelled()
        assert leaving.cancelled()
    await client.close()
    async with daemon.data() as reader:
        assert (await reader.get_reservation("one")).state is ReservationState.RELEASED


async def test_a_block_that_gave_its_hold_back_cannot_be_finalized(daemon: Daemon) -> None:
    """Who may release: the decision never changes."""
    key = await daemon.create_key()
    async with daemon.data() as client:
        async with client.reservation(api_key=key.secret, model="m", amounts={"total_tokens": HELD}) as held:
            pass
        with pytest.raises(RuntimeError, match="given back"):
            await held.finalize({"total_tokens": CHARGED})


@pytest.mark.parametrize("lost", [1, 2], ids=["a stream's first message", "a later one"])
async def test_a_refused_block_whose_first_try_may_still_arrive_is_fenced(daemon: Daemon, lost: int) -> None:
    """S7: the refusal answers the repeat alone."""
    key = await daemon.create_key(limit(max_value=HELD))
    async with stream_relay(daemon.address) as relay, QuotaClient(relay.address, DATA_TOKEN) as client:
        relay.fate = lambda message: Fate.REQUEST_LOST if len(relay.messages) == lost else Fate.ANSWERED
        for _ in range(1, lost):
            await client.describe_key(api_key=key.secret)
        with pytest.raises(e.RequestExceedsLimit):
            await client.reservation(
                api_key=key.secret, model="m", amounts={"total_tokens": HELD + 1}, reservation_id="one"
            ).__aenter__()
        assert relay.operations("one") == ["reserve", "reserve", "release"]
        with pytest.raises(e.ReservationFenced):
            await client.reserve("one", api_key=key.secret, model="m", amounts={"total_tokens": 1})


async def test_an_id_that_is_somebody_elses_is_not_released(daemon: Daemon) -> None:
    key = await daemon.create_key()
    async with stream_relay(daemon.address) as relay, QuotaClient(relay.address, DATA_TOKEN) as client:
        await client.reserve("one", api_key=key.secret, model="m", amounts={"total_tokens": 1})
        relay.fate = lambda message: Fate.REQUEST_LOST if len(relay.messages) == 2 else Fate.ANSWERED
        with pytest.raises(e.ReservationIdReused):
            await client.reservation(
                api_key=key.secret, model="other", amounts={"total_tokens": 1}, reservation_id="one"
            ).__aenter__()
        assert (await client.get_reservation("one")).state is ReservationState.RESERVED


async def test_usage_that_somebody_else_reported_is_told_once(daemon: Daemon) -> None:
    key = await daemon.create_key()
    async with daemon.data() as client:
        async with client.reservation(api_key=key.secret, model="m", amounts={"total_tokens": HELD}) as held:
            await client.finalize(held.reservation_id, amounts={"total_tokens": CHARGED})
            with pytest.raises(e.FinalizeMismatch):
                await held.finalize({"total_tokens": CHARGED + 1})


async def test_a_settlement_that_fails_behind_a_cancelled_caller_is_logged(
    daemon: Daemon, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """B5: nothing is lost in silence."""
    key = await daemon.create_key()
    async with daemon.data(call_timeout_seconds=0.2, retry_seconds=0.4) as client:
        held = await client.reservation(
            api_key=key.secret, model="m", amounts={"total_tokens": HELD}, lease_seconds=600
        ).__aenter__()
        async with daemon.windows_locked():
            with pytest.raises((OutcomeUnknown, e.Unavailable)):
                await held.finalize({"total_tokens": CHARGED})
            leaving = asyncio.create_task(held.__aexit__(None, None, None))
            await asyncio.sleep(0)
            leaving.cancel()
            await asyncio.wait([leaving])
            await client.close()
    # Where it goes depends on what has set up the process's log.
    assert "reservation not settled" in capfd.readouterr().out + caplog.text
