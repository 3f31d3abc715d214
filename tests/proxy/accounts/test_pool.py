"""The pool against a real table: turns, limits, changes, restarts."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from proxy.accounts import pool as pool_module
from proxy.accounts.opening import open_accounts
from proxy.accounts.pool import AccountPool
from proxy.errors import NoAccounts, UpstreamFailed
from proxy.outgoing import Outgoing
from proxy.records import write
from proxy.records.accounts import AccountState
from proxy.records.secrets import SecretBox, SecretKeyUnusable
from tests.proxy.accounts.world import SETTINGS, World, select_eventually
from tests.support.waiting import eventually

CHANGE_SECONDS_MAX = 1.0
NONE: frozenset[str] = frozenset()


def soon(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def is_usable(pool: AccountPool, account_id: str) -> bool:
    try:
        chosen = [pool.select("m", NONE).account_id for _ in range(3)]
    except NoAccounts:
        return False
    return account_id in chosen


async def test_a_new_account_serves_within_a_second(pool: AccountPool, world: World) -> None:
    with pytest.raises(NoAccounts, match="none is configured"):
        pool.select("m", NONE)
    account_id = await world.add_static("one")
    await eventually(lambda: is_usable(pool, account_id), CHANGE_SECONDS_MAX)


async def test_a_paused_account_stops_and_a_resumed_one_serves_within_a_second(pool: AccountPool, world: World) -> None:
    account_id = await world.add_static("one")
    await select_eventually(pool)
    await world.move(account_id, AccountState.PAUSED)
    await eventually(lambda: not is_usable(pool, account_id), CHANGE_SECONDS_MAX)
    await world.move(account_id, AccountState.ACTIVE)
    await eventually(lambda: is_usable(pool, account_id), CHANGE_SECONDS_MAX)


async def test_a_removed_account_stops_within_a_second(pool: AccountPool, world: World, engine: AsyncEngine) -> None:
    account = await world.account(await world.add_static("one"))
    await select_eventually(pool)
    async with engine.begin() as connection:
        assert await write.remove_account(connection, account.account_id)
    await eventually(lambda: not is_usable(pool, account.account_id), CHANGE_SECONDS_MAX)
    with pytest.raises(NoAccounts):
        pool.authorization(account)


async def test_two_accounts_take_turns_and_a_tried_one_is_left_out(pool: AccountPool, world: World) -> None:
    """S6: when every account was tried, none is left."""
    one, two = await world.add_static("one"), await world.add_static("two")
    await eventually(lambda: is_usable(pool, two))
    turns = [pool.select("m", NONE).account_id for _ in range(4)]
    assert turns[:2] == turns[2:]
    assert set(turns) == {one, two}
    assert pool.select("m", frozenset([one])).account_id == two
    with pytest.raises(NoAccounts, match="2 tried"):
        pool.select("gpt-5.1", frozenset([one, two]))


async def test_a_limited_account_is_left_alone_by_every_replica_until_its_end(
    pool: AccountPool, other_pool: AccountPool, world: World
) -> None:
    account = await world.account(await world.add_static("one"))
    await select_eventually(other_pool)
    await select_eventually(pool)
    await pool.mark_limited(account, AccountState.RATE_LIMITED, soon(1.5))
    with pytest.raises(NoAccounts, match="1 rate_limited; the first is free again at") as caught:
        pool.select("m", NONE)
    assert caught.value.headers["Retry-After"] == "2"
    await eventually(lambda: not is_usable(other_pool, account.account_id), CHANGE_SECONDS_MAX)
    await eventually(lambda: is_usable(pool, account.account_id) and is_usable(other_pool, account.account_id), 3)


async def test_a_limit_survives_a_restart(
    pool: AccountPool, world: World, engine: AsyncEngine, box: SecretBox, outgoing: Outgoing
) -> None:
    account = await world.account(await world.add_static("one"))
    await select_eventually(pool)
    await pool.mark_limited(account, AccountState.QUOTA_EXCEEDED, soon(600))
    async with open_accounts(engine, SETTINGS, box, outgoing) as restarted:
        with pytest.raises(NoAccounts, match="1 quota_exceeded"):
            restarted.pool.select("m", NONE)


async def test_a_shorter_limit_does_not_end_a_longer_one(pool: AccountPool, world: World) -> None:
    account = await world.account(await world.add_static("one"))
    await select_eventually(pool)
    end = soon(600)
    await pool.mark_limited(account, AccountState.QUOTA_EXCEEDED, end)
    await pool.mark_limited(account, AccountState.RATE_LIMITED, soon(1))
    assert (await world.account("one")).until == end
    assert (await world.account("one")).state is AccountState.QUOTA_EXCEEDED


async def test_an_absurd_limit_is_cut_to_the_longest_window(pool: AccountPool, world: World) -> None:
    account = await world.account(await world.add_static("one"))
    await select_eventually(pool)
    await pool.mark_limited(account, AccountState.RATE_LIMITED, soon(10 * 365 * 86_400))
    until = (await world.account("one")).until
    assert until is not None
    assert until <= soon(pool_module.LIMIT_DAYS_MAX * 86_400)


async def test_what_the_operator_paused_no_upstream_moves(pool: AccountPool, world: World) -> None:
    account = await world.account(await world.add_static("one"))
    await select_eventually(pool)
    await world.move(account.account_id, AccountState.PAUSED)
    await pool.mark_limited(account, AccountState.RATE_LIMITED, soon(600))
    assert (await world.account("one")).state is AccountState.PAUSED


async def test_a_failing_account_goes_last_and_comes_back(pool: AccountPool, world: World) -> None:
    one, two = await world.add_static("one"), await world.add_static("two")
    await eventually(lambda: is_usable(pool, two))
    failing = await world.account(one)
    pool.note_failure(failing, UpstreamFailed())
    assert [pool.select("m", NONE).account_id for _ in range(3)] == [two] * 3
    assert pool.select("m", frozenset([two])).account_id == one
    pool.note_success(failing)
    assert one in [pool.select("m", NONE).account_id for _ in range(2)]


async def test_changes_are_heard_again_after_the_connection_was_lost(
    pool: AccountPool, world: World, engine: AsyncEngine
) -> None:
    await world.add_static("one")
    await select_eventually(pool)
    async with engine.connect() as connection:
        ended = await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE '%listen%proxy\\_%'"
                " AND pid <> pg_backend_pid() AND datname = current_database()"
            )
        )
        assert ended.scalars().all() == [True]
    account_id = await world.add_static("two")
    started = time.monotonic()
    await eventually(lambda: is_usable(pool, account_id), 3)
    assert time.monotonic() - started < CHANGE_SECONDS_MAX


async def test_accounts_serve_and_are_marked_while_their_table_is_away(
    pool: AccountPool, world: World, engine: AsyncEngine
) -> None:
    one, two = await world.add_static("one"), await world.add_static("two")
    await eventually(lambda: is_usable(pool, two))
    marked = await world.account(one)
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE proxy.accounts RENAME TO away"))
    await pool.mark_limited(marked, AccountState.RATE_LIMITED, soon(600))
    assert [pool.select("m", NONE).account_id for _ in range(2)] == [two, two]
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE proxy.away RENAME TO accounts"))
    three = await world.add_static("three")
    await eventually(lambda: is_usable(pool, three))


async def test_a_state_of_a_later_version_does_not_stop_the_following(
    pool: AccountPool, world: World, engine: AsyncEngine
) -> None:
    one = await world.add_static("one")
    await eventually(lambda: is_usable(pool, one))
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE proxy.accounts DROP CONSTRAINT accounts_state_check"))
        await connection.execute(text("UPDATE proxy.accounts SET state = 'resting'"))
    two = await world.add_static("two")
    assert is_usable(pool, one)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE proxy.accounts SET state = 'active'"))
    await eventually(lambda: is_usable(pool, two))


async def test_a_wrong_key_stops_the_start_with_one_line(world: World, engine: AsyncEngine, outgoing: Outgoing) -> None:
    await world.add_static("one")
    strange = SecretBox(Fernet.generate_key(), "the key file /x/proxy.key")
    with pytest.raises(SecretKeyUnusable, match=r"another key than that in the key file /x/proxy\.key"):
        async with open_accounts(engine, SETTINGS, strange, outgoing):
            pass


async def test_an_account_of_another_key_is_left_out_of_a_running_worker(pool: AccountPool, world: World) -> None:
    await world.add_static("one")
    await select_eventually(pool)
    strange = World(world.engine, SecretBox(Fernet.generate_key(), "another host"), world.demo)
    strange_id = await strange.add_static("strange")
    one = (await world.account("one")).account_id

    def refusal() -> str:
        try:
            pool.select("m", frozenset([one]))
        except NoAccounts as exc:
            return str(exc)
        return ""

    await eventually(lambda: "1 unreadable" in refusal())
    assert not is_usable(pool, strange_id)
