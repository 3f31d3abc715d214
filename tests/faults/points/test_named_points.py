"""A daemon is killed, or stands still, at one known point of a call: asked again elsewhere, it counts once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from itertools import count
from typing import Any

import pytest

from quotad.client.quota_client import QuotaClient
from quotad.client.types import CreatedKey, Grant, Settlement
from quotad.values import Limit, ReservationState, Scope, Window, WindowKind
from tests.faults.site import LEASE_SECONDS, Site, clock_off_by, site
from tests.support.daemons import DATA_TOKEN
from tests.support.waiting import eventually

DAYS = 3 * 86400.0
LOCKS_LET_GO_SECONDS_MAX = 15.0
RESERVATION_TO_COME = (
    "INSERT INTO quotad.reservations (tenant_id, reservation_id, state) VALUES ('default', $1, 'pending')"
)
RESERVATION = "SELECT FROM quotad.reservations WHERE reservation_id = $1 FOR UPDATE"
WINDOWS = (
    "SELECT FROM quotad.windows AS w JOIN quotad.limits AS l USING (limit_id) WHERE l.api_key_id = $1 FOR UPDATE OF w"
)

pytestmark = pytest.mark.timeout(120)
numbers = count()


@pytest.fixture(scope="module")
def at() -> Iterator[Site]:
    """Daemon a's own clock is three days ahead: the database's decides."""
    with site(clock_off_by(DAYS)) as running:
        yield running


class Caller:
    """Asks daemon a, and asks b again where a did not answer."""

    def __init__(self, a: QuotaClient, b: QuotaClient, key: CreatedKey) -> None:
        self.a, self.b, self.key = a, b, key
        self.reservation_id = f"point-{next(numbers)}"
        self.scope = Scope(api_key_id=key.api_key.api_key_id)

    async def reserve(self, client: QuotaClient) -> Grant:
        return await client.reserve(
            self.reservation_id, api_key=self.key.secret, model="m", amounts={"total_tokens": 60}, lease_seconds=600
        )

    async def finalize(self, client: QuotaClient) -> Settlement:
        return await client.finalize(self.reservation_id, amounts={"total_tokens": 25}, scope=self.scope)

    async def counters(self) -> tuple[int, int]:
        described = await self.b.describe_key(api_key=self.key.secret)
        return described.limits[0].used, described.limits[0].held


@pytest.fixture
async def caller(at: Site) -> AsyncIterator[Caller]:
    key = await at.create_key(Limit("total_tokens", Window(WindowKind.DAY), 100))
    a = QuotaClient(at.relay.address, DATA_TOKEN, call_timeout_seconds=5, retry_seconds=5, coalesce=False)
    async with a, QuotaClient(at.b.address, DATA_TOKEN) as b:
        yield Caller(a, b, key)
    await at.assert_sound()


async def killed_where_it_waits(at: Site, call: Coroutine[Any, Any, object], rows: str, argument: str) -> None:
    """Daemon a is killed while it waits for these rows; its caller never learns what became of the call."""
    async with at.holding(rows, argument):
        asked = asyncio.ensure_future(call)
        await at.waits(at.a)
        at.a.kill()
    await unanswered(at, asked)


async def unanswered(at: Site, asked: asyncio.Future[object]) -> None:
    """It would go on asking the killed daemon: its caller gives up."""
    at.relay.cut()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    at.a.start()
    await at.a.ready()


async def test_a_reserve_that_waited_for_its_id_holds_once(at: Site, caller: Caller) -> None:
    await killed_where_it_waits(at, caller.reserve(caller.a), RESERVATION_TO_COME, caller.reservation_id)
    await caller.reserve(caller.b)
    assert await caller.counters() == (0, 60)


async def test_a_reserve_that_waited_for_its_window_holds_once(at: Site, caller: Caller) -> None:
    """Its id was taken by then."""
    await caller.b.reserve(
        f"{caller.reservation_id}-before", api_key=caller.key.secret, model="m", amounts={"total_tokens": 10}
    )
    await killed_where_it_waits(at, caller.reserve(caller.a), WINDOWS, caller.key.api_key.api_key_id)
    await caller.reserve(caller.b)
    await caller.b.release(f"{caller.reservation_id}-before", scope=caller.scope)
    assert await caller.counters() == (0, 60)


@pytest.mark.parametrize("rows", [RESERVATION, WINDOWS], ids=["reservation", "window"])
async def test_a_finalize_that_waited_for_a_row_charges_once(at: Site, caller: Caller, rows: str) -> None:
    await caller.reserve(caller.b)
    argument = caller.reservation_id if rows == RESERVATION else caller.key.api_key.api_key_id
    await killed_where_it_waits(at, caller.finalize(caller.a), rows, argument)
    await caller.finalize(caller.b)
    assert await caller.counters() == (25, 0)


async def test_a_reserve_whose_answer_was_lost_is_a_replay(at: Site, caller: Caller) -> None:
    """Between commit and reply."""
    await lost_after_commit(at, caller, caller.reserve(caller.a), ReservationState.RESERVED)
    assert (await caller.reserve(caller.b)).replayed
    assert await caller.counters() == (0, 60)


async def test_a_finalize_whose_answer_was_lost_is_a_replay(at: Site, caller: Caller) -> None:
    await caller.reserve(caller.b)
    await lost_after_commit(at, caller, caller.finalize(caller.a), ReservationState.FINALIZED)
    assert (await caller.finalize(caller.b)).replayed
    assert await caller.counters() == (25, 0)


async def lost_after_commit(
    at: Site, caller: Caller, call: Coroutine[Any, Any, object], state: ReservationState
) -> None:
    """The daemon commits, its reply is lost on the way, and then it is killed."""
    await caller.a.describe_key(api_key=caller.key.secret)  # connected, so that the call gets there
    at.relay.swallow_replies()
    asked = asyncio.ensure_future(call)
    await is_in(at, caller.reservation_id, state)
    at.a.kill()
    await unanswered(at, asked)


async def test_a_commit_whose_reply_was_lost_counts_once(at: Site, caller: Caller) -> None:
    """Between the database and the daemon, which asks again by itself."""
    at.database_relay.swallow_replies()
    asked = asyncio.ensure_future(caller.reserve(caller.a))
    await asyncio.wait([asked], timeout=0.5)
    at.database_relay.cut()
    await asked
    assert await caller.counters() == (0, 60)


async def test_a_daemon_that_stood_still_beyond_the_lease_charges_late_and_once(at: Site, caller: Caller) -> None:
    """B2: the other daemon's sweeper has given the room away meanwhile."""
    await caller.a.reserve(
        caller.reservation_id,
        api_key=caller.key.secret,
        model="m",
        amounts={"total_tokens": 60},
        lease_seconds=LEASE_SECONDS,
    )
    at.a.stand_still()
    await is_in(at, caller.reservation_id, ReservationState.EXPIRED)
    assert await caller.counters() == (0, 0)
    at.a.go_on()
    assert (await caller.finalize(caller.a)).reservation.late
    assert (await caller.finalize(caller.b)).replayed
    assert await caller.counters() == (25, 0)


async def test_a_daemon_that_stands_still_inside_a_transaction_lets_go_of_its_rows(at: Site, caller: Caller) -> None:
    """The database ends it: nobody else can know whether it will ever go on."""
    await caller.b.reserve(
        caller.reservation_id,
        api_key=caller.key.secret,
        model="m",
        amounts={"total_tokens": 60},
        lease_seconds=LEASE_SECONDS,
    )
    await is_in(at, caller.reservation_id, ReservationState.EXPIRED)
    async with at.holding(WINDOWS, caller.key.api_key.api_key_id):
        asked = asyncio.ensure_future(caller.finalize(caller.a))
        await at.waits(at.a)
        at.a.stand_still()
    try:
        async with asyncio.timeout(LOCKS_LET_GO_SECONDS_MAX):
            await caller.finalize(caller.b)
    finally:
        at.a.go_on()
        await asyncio.gather(asked, return_exceptions=True)
    assert await caller.counters() == (25, 0)


async def test_the_clock_that_counts_is_the_databases(at: Site, caller: Caller) -> None:
    """Daemon a believes that it is three days later."""
    granted = await caller.reserve(caller.a)
    (hold,) = granted.reservation.holds
    replayed = await caller.reserve(caller.b)
    assert replayed.replayed
    assert replayed.reservation.holds == (hold,)
    assert abs((granted.server_time - replayed.server_time).total_seconds()) < 60
    assert (await caller.finalize(caller.a)).reservation.late is False


async def is_in(at: Site, reservation_id: str, state: ReservationState) -> None:
    """Until the reservation stands so in the database."""
    statement = "SELECT state FROM quotad.reservations WHERE reservation_id = $1"
    async with at.database() as connection:

        async def stands() -> bool:
            found: str | None = await connection.fetchval(statement, reservation_id)
            return found == state.value

        await eventually(stands, 20)
