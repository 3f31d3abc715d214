"""What befalls the site while it is used. Each fault leaves everything running again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random

from tests.faults.site import LEASE_SECONDS, DaemonProcess, Site
from tests.support.waiting import NeverHappened, eventually

Fault = Callable[[Site, Random], Awaitable[None]]

SOME_SECONDS = 0.3
WAIT_SECONDS_MAX = 10.0
HOT_WINDOWS = "SELECT FROM quotad.windows WHERE held > 0 ORDER BY tenant_id, limit_id, window_start LIMIT 3 FOR UPDATE"
OPEN_RESERVATIONS = (
    "SELECT FROM quotad.reservations WHERE state = 'reserved' ORDER BY tenant_id, reservation_id LIMIT 50 FOR UPDATE"
)


async def a_daemon_is_killed(site: Site, chance: Random) -> None:
    await _killed(chance.choice(site.daemons))


async def a_daemon_is_killed_while_it_waits_for_a_window(site: Site, chance: Random) -> None:
    await _killed_while_waiting(site, chance, HOT_WINDOWS)


async def a_daemon_is_killed_while_it_waits_for_a_reservation(site: Site, chance: Random) -> None:
    await _killed_while_waiting(site, chance, OPEN_RESERVATIONS)


async def a_daemon_is_killed_before_its_replies_arrive(site: Site, chance: Random) -> None:
    """What it committed in the meantime was never told to anybody."""
    site.relay.swallow_replies()
    await eventually(lambda: site.relay.swallowed_bytes > 0, WAIT_SECONDS_MAX)
    site.a.kill()
    site.relay.cut()
    await _started(site.a)


async def the_database_is_stopped_immediately(site: Site, chance: Random) -> None:
    await asyncio.to_thread(site.postgres.stop_immediately)
    await asyncio.to_thread(site.postgres.start)


async def replies_are_lost(site: Site, chance: Random) -> None:
    site.relay.swallow_replies()
    await asyncio.sleep(SOME_SECONDS)
    site.relay.cut()


async def replies_of_the_database_are_lost(site: Site, chance: Random) -> None:
    """The daemon does not learn whether it committed."""
    site.database_relay.swallow_replies()
    await asyncio.sleep(SOME_SECONDS)
    site.database_relay.cut()


async def connections_are_cut(site: Site, chance: Random) -> None:
    for relay in (site.relay, site.database_relay):
        relay.cut()


async def everything_is_slow(site: Site, chance: Random) -> None:
    for relay in (site.relay, site.database_relay):
        relay.delay_seconds = 0.02
    await asyncio.sleep(SOME_SECONDS)
    for relay in (site.relay, site.database_relay):
        relay.delay_seconds = 0.0


async def a_daemon_stands_still_beyond_the_lease(site: Site, chance: Random) -> None:
    daemon = chance.choice(site.daemons)
    daemon.stand_still()
    await asyncio.sleep(LEASE_SECONDS + 1)
    daemon.go_on()


BEYOND_NAMED_POINTS: tuple[Fault, ...] = (
    a_daemon_is_killed,
    the_database_is_stopped_immediately,
    replies_of_the_database_are_lost,
    connections_are_cut,
    everything_is_slow,
)
"""What no test meets one by one."""
FAULTS: tuple[Fault, ...] = (
    *BEYOND_NAMED_POINTS,
    a_daemon_is_killed_while_it_waits_for_a_window,
    a_daemon_is_killed_while_it_waits_for_a_reservation,
    a_daemon_is_killed_before_its_replies_arrive,
    replies_are_lost,
    a_daemon_stands_still_beyond_the_lease,
)


async def _killed_while_waiting(site: Site, chance: Random, rows: str) -> None:
    daemon = chance.choice(site.daemons)
    async with site.holding(rows):
        with suppress(NeverHappened):  # nobody needed just these rows: it is then killed all the same
            await site.waits(daemon, seconds=1.0)
        daemon.kill()
    await _started(daemon)


async def _killed(daemon: DaemonProcess) -> None:
    daemon.kill()
    await _started(daemon)


async def _started(daemon: DaemonProcess) -> None:
    daemon.start()
    await daemon.ready()
