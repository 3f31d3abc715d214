"""Usage windows over real connections: who fetches, what counts as refreshed, and what follows from a full window."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from proxy.accounts.opening import Accounts, open_accounts
from proxy.demo_upstream.usage import DemoUsage
from proxy.outgoing import Outgoing
from proxy.records.accounts import Account, AccountState
from proxy.records.secrets import SecretBox
from proxy.records.usage_samples import latest_by_account, list_fetches
from tests.proxy.accounts.world import SETTINGS, World, select_eventually
from tests.support.waiting import eventually

SELDOM = SETTINGS.model_copy(update={"usage_refresh_seconds": 3600.0})


async def due(engine: AsyncEngine) -> None:
    """All accounts are due again."""
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM proxy.usage_fetches"))


async def added(running: Accounts, world: World, name: str, usage: DemoUsage) -> Account:
    """An account that reports this usage, fetched once."""
    world.demo.upstream.usage.tell({f"key-of-{name}": usage})
    account_id = await world.add_static(name, reports_usage=True)
    await eventually(lambda: account_id in {account.account_id for account in running.pool.accounts})
    await running.usage_refresh.refresh()
    await eventually(lambda: world.fetched(account_id))
    return await world.account(name)


async def test_windows_and_credits_are_fetched_and_stored(running: Accounts, world: World, engine: AsyncEngine) -> None:
    """C1."""
    account = await added(running, world, "one", DemoUsage(40, 12.5, 600, balance="7.25"))
    async with engine.connect() as connection:
        usage = (await latest_by_account(connection))[account.account_id]
    assert usage.primary is not None
    assert usage.secondary is not None
    assert usage.credits is not None
    assert (usage.primary.used_percent, usage.primary.window_minutes) == (40, 300)
    assert (usage.secondary.used_percent, usage.secondary.window_minutes) == (12.5, 10_080)
    assert str(usage.credits.balance) == "7.25"


async def test_replicas_fetch_an_account_once_in_an_interval(
    engine: AsyncEngine, box: SecretBox, outgoing: Outgoing, world: World
) -> None:
    async with (
        open_accounts(engine, SELDOM, box, outgoing) as one,
        open_accounts(engine, SELDOM, box, outgoing) as other,
    ):
        await added(one, world, "one", DemoUsage(40))
        await due(engine)
        before = world.demo.upstream.usage.fetches
        refreshed = await asyncio.gather(*(each.usage_refresh.refresh() for each in (one, other, one, other)))
        assert world.demo.upstream.usage.fetches == before + 1
        assert refreshed.count(True) == 1


@pytest.mark.parametrize(
    ("usage", "error"),
    [
        (DemoUsage(10), ""),
        (DemoUsage(balance="1"), ""),
        (DemoUsage(), "neither windows nor credits"),
        (DemoUsage(10, status=500), "status 500"),
        (DemoUsage(10, status=401), "status 401"),
    ],
)
async def test_refreshed_is_true_only_if_a_row_was_written(
    engine: AsyncEngine, box: SecretBox, outgoing: Outgoing, world: World, usage: DemoUsage, error: str
) -> None:
    """C5: an error, an empty answer or a refused token is no refresh."""
    async with open_accounts(engine, SELDOM, box, outgoing) as running:
        account = await added(running, world, "one", usage)
        await due(engine)
        assert await running.usage_refresh.refresh() is (not error)
        async with engine.connect() as connection:
            noted = (await list_fetches(connection))[account.account_id].error
        assert error in noted
        assert bool(error) is bool(noted)


async def test_one_written_row_of_several_accounts_makes_it_refreshed(
    engine: AsyncEngine, box: SecretBox, outgoing: Outgoing, world: World
) -> None:
    """C5."""
    async with open_accounts(engine, SELDOM, box, outgoing) as running:
        await added(running, world, "broken", DemoUsage(10, status=500))
        await added(running, world, "one", DemoUsage(10))
        await due(engine)
        assert await running.usage_refresh.refresh()


async def test_usage_is_read_again_only_after_a_refresh_that_wrote(
    engine: AsyncEngine, box: SecretBox, outgoing: Outgoing, world: World
) -> None:
    """C5: what a refresh without a row leaves behind is not looked at. Notifications are off: they tell of writes."""
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE proxy.usage_samples DISABLE TRIGGER usage_samples_changed"))
    async with open_accounts(engine, SELDOM, box, outgoing) as running:
        await added(running, world, "one", DemoUsage(10))
        await eventually(lambda: running.pool.serving_usage[0].primary is not None)
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE proxy.usage_samples SET used_percent = 70, sample_time = now()"))
        world.demo.upstream.usage.tell({"key-of-one": DemoUsage(status=500)})
        await due(engine)
        assert not await running.usage_refresh.refresh()
        assert used(running) == 10
        world.demo.upstream.usage.tell({"key-of-one": DemoUsage(30)})
        await due(engine)
        assert await running.usage_refresh.refresh()
        assert used(running) == 30


def used(running: Accounts) -> float:
    primary = running.pool.serving_usage[0].primary
    assert primary is not None
    return primary.used_percent


async def test_an_expired_token_is_refreshed_for_the_fetch(running: Accounts, world: World) -> None:
    await world.add_oauth("one", reports_usage=True)
    account = await select_eventually(running.pool)
    world.demo.upstream.credentials.expire("first-one")
    await eventually(lambda: world.demo.upstream.credentials.refreshes == 1)
    await eventually(lambda: world.fetched(account.account_id))
    assert (await world.account("one")).state is AccountState.ACTIVE


@pytest.mark.parametrize(
    ("usage", "state"),
    [
        (DemoUsage(100, 20, 3600), AccountState.RATE_LIMITED),
        (DemoUsage(20, 100, 3600), AccountState.QUOTA_EXCEEDED),
    ],
)
async def test_an_exhausted_window_leaves_the_account_alone_until_its_reset(
    running: Accounts, world: World, usage: DemoUsage, state: AccountState
) -> None:
    account = await added(running, world, "one", usage)
    assert account.state is state
    assert account.until is not None
    assert timedelta(minutes=58) < account.until - datetime.now(UTC) < timedelta(minutes=61)


async def test_the_newest_sample_wins_and_ties_are_broken_by_its_id(
    running: Accounts, world: World, engine: AsyncEngine
) -> None:
    """C1."""
    account_id = await world.add_static("one")
    insert = text(
        "INSERT INTO proxy.usage_samples (sample_id, account_id, usage_window, used_percent, sample_time, source)"
        " VALUES (:id, :account, 'primary', :used, :time, 'fetch')"
    )
    now = datetime.now(UTC)
    async with engine.begin() as connection:
        for number, percent, age in ((2, 22.0, 0), (3, 33.0, 0), (1, 11.0, 0), (9, 99.0, 60)):
            values = {"id": f"00000000-0000-0000-0000-00000000000{number}", "account": account_id, "used": percent}
            await connection.execute(insert, values | {"time": now - timedelta(seconds=age)})
        usage = (await latest_by_account(connection))[account_id]
    assert usage.primary is not None
    assert usage.primary.used_percent == 33.0
