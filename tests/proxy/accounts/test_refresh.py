"""Refreshing after a 401, against a strict upstream whose refresh tokens work once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from proxy.accounts.opening import open_accounts
from proxy.accounts.pool import AccountPool
from proxy.outgoing import Outgoing
from proxy.records import write
from proxy.records.accounts import Account, AccountState, OAuthCredentials
from proxy.records.locks import lock
from proxy.records.secrets import SecretBox
from servicekit.listening import Listen, bind
from tests.proxy.accounts.world import SETTINGS, World, select_eventually, status_at_upstream
from tests.support.daemons import someone_waits
from tests.support.waiting import eventually


async def expired(pool: AccountPool, world: World) -> Account:
    """An account whose access token the upstream refuses from now on."""
    account_id = await world.add_oauth("one")
    account = await select_eventually(pool)
    world.demo.upstream.credentials.expire("first-one")
    assert account.account_id == account_id
    assert await status_at_upstream(pool, account) == 401
    return account


async def test_a_refresh_after_a_401_gives_a_token_that_works(pool: AccountPool, world: World) -> None:
    account = await expired(pool, world)
    assert await pool.refresh(account, pool.authorization(account).token_version)
    assert await status_at_upstream(pool, account) == 200
    assert pool.authorization(account).headers["chatgpt-account-id"] == "workspace"


async def test_concurrent_401s_cause_one_refresh(pool: AccountPool, world: World) -> None:
    account = await expired(pool, world)
    version = pool.authorization(account).token_version
    assert all(await asyncio.gather(*(pool.refresh(account, version) for _ in range(20))))
    assert world.demo.upstream.credentials.refreshes == 1


async def test_a_401_with_an_older_token_than_the_present_one_refreshes_nothing(
    pool: AccountPool, world: World
) -> None:
    account = await expired(pool, world)
    assert await pool.refresh(account, 1)
    assert await pool.refresh(account, 1)
    assert world.demo.upstream.credentials.refreshes == 1


async def test_a_refreshed_pair_is_stored_and_reaches_the_other_replica(
    pool: AccountPool, other_pool: AccountPool, world: World
) -> None:
    account = await expired(pool, world)
    await select_eventually(other_pool)
    assert await pool.refresh(account, 1)
    await eventually(lambda: other_pool.authorization(account).token_version == 2, 1)
    assert await status_at_upstream(other_pool, account) == 200
    stored = await world.stored_tokens(account.account_id)
    assert stored.refresh_token not in ("", "refresh-one")


async def test_rotated_refresh_tokens_work_one_after_the_other(pool: AccountPool, world: World) -> None:
    account = await expired(pool, world)
    for version in (1, 2, 3):
        assert await pool.refresh(account, version)
        world.demo.upstream.credentials.expire((await world.stored_tokens(account.account_id)).access_token)
    assert (await world.account("one")).token_version == 4
    assert (await world.account("one")).state is AccountState.ACTIVE


async def test_a_definite_refusal_asks_for_a_new_sign_in(pool: AccountPool, world: World) -> None:
    account = await expired(pool, world)
    world.demo.upstream.credentials.refresh("refresh-one")  # someone else used it up
    assert not await pool.refresh(account, 1)
    refused = await world.account("one")
    assert refused.state is AccountState.REAUTH_REQUIRED
    assert "invalid_grant" in refused.state_reason


async def test_a_static_key_is_not_refreshed(pool: AccountPool, world: World) -> None:
    await world.add_static("one")
    account = await select_eventually(pool)
    assert not await pool.refresh(account, 1)
    assert (await world.account("one")).state is AccountState.ACTIVE


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, '{"error": "server_error"}'),
        (503, "busy"),
        (429, '{"error": "slow_down"}'),
        (400, "<html>a captive portal</html>"),
        (400, '{"error": "temporarily_unavailable"}'),
        (200, "{}"),
        (200, "not json"),
        (302, ""),
    ],
)
async def test_an_undecided_answer_leaves_the_state_alone(
    pool: AccountPool, world: World, status: int, body: str
) -> None:
    async with answering(status, body) as url:
        await world.add_oauth("one", token_url=url)
        account = await select_eventually(pool)
        assert not await pool.refresh(account, 1)
    assert (await world.account("one")).state is AccountState.ACTIVE


async def test_a_token_endpoint_that_is_away_leaves_the_state_alone(pool: AccountPool, world: World) -> None:
    listener = bind(Listen("127.0.0.1", 0), setting="test")  # bound but not listening: refuses
    await world.add_oauth("one", token_url=f"http://127.0.0.1:{listener.getsockname()[1]}/token")
    account = await select_eventually(pool)
    assert not await pool.refresh(account, 1)
    listener.close()
    assert (await world.account("one")).state is AccountState.ACTIVE


async def test_a_caller_that_leaves_does_not_stop_the_refresh(pool: AccountPool, world: World) -> None:
    account = await expired(pool, world)
    leaving = asyncio.create_task(pool.refresh(account, 1))
    staying = asyncio.create_task(pool.refresh(account, 1))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying
    assert world.demo.upstream.credentials.refreshes == 1


async def test_a_pair_that_could_not_be_stored_is_kept_and_stored_later(
    pool: AccountPool, world: World, engine: AsyncEngine
) -> None:
    account = await expired(pool, world)
    await forbid_updates(engine)
    assert not await pool.refresh(account, 1)
    assert world.demo.upstream.credentials.refreshes == 1
    await allow_updates(engine)
    assert await pool.refresh(account, 1)
    assert world.demo.upstream.credentials.refreshes == 1, "the refresh token was used once"
    assert await status_at_upstream(pool, account) == 200


async def test_a_kept_pair_is_stored_when_the_worker_stops(
    world: World, engine: AsyncEngine, box: SecretBox, outgoing: Outgoing
) -> None:
    async with open_accounts(engine, SETTINGS, box, outgoing) as running:
        account = await expired(running.pool, world)
        await forbid_updates(engine)
        assert not await running.pool.refresh(account, 1)
        await allow_updates(engine)
    assert (await world.account("one")).token_version == 2


async def test_a_pair_is_stored_only_over_the_one_it_replaces(
    pool: AccountPool, world: World, engine: AsyncEngine, box: SecretBox
) -> None:
    account = await expired(pool, world)
    assert await pool.refresh(account, 1)
    late = OAuthCredentials("late", "late")
    async with engine.begin() as connection:
        assert not await write.store_tokens(connection, account.account_id, late, box, expected_version=1)
    assert (await world.stored_tokens(account.account_id)).access_token != "late"


async def test_a_new_pair_ends_what_another_replica_concluded_from_the_old_one(
    world: World, engine: AsyncEngine, box: SecretBox
) -> None:
    account_id = await world.add_oauth("one")
    assert await world.move(account_id, AccountState.REAUTH_REQUIRED)
    async with engine.begin() as connection:
        new = OAuthCredentials("new", "new")
        assert await write.store_tokens(connection, account_id, new, box, expected_version=1)
    assert (await world.account("one")).state is AccountState.ACTIVE


async def test_replicas_that_meet_a_401_at_once_refresh_once(
    pool: AccountPool, other_pool: AccountPool, world: World
) -> None:
    """B6."""
    account = await expired(pool, world)
    await select_eventually(other_pool)
    refreshed = await asyncio.gather(*(each.refresh(account, 1) for each in (pool, other_pool, pool, other_pool)))
    assert refreshed == [True] * 4
    assert world.demo.upstream.credentials.refreshes == 1
    assert (await world.account("one")).state is AccountState.ACTIVE
    for each in (pool, other_pool):
        assert await status_at_upstream(each, account) == 200


async def test_a_replica_that_waited_out_a_refusal_does_not_ask_again(
    pool: AccountPool, other_pool: AccountPool, world: World
) -> None:
    """B6: a definite refusal holds for all of them."""
    asked: list[str] = []

    async def refuse(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"error": "invalid_grant"}, status=400)

    async with serving_token(refuse) as url:
        await world.add_oauth("one", token_url=url)
        account = await select_eventually(pool)
        await select_eventually(other_pool)
        assert await asyncio.gather(*(each.refresh(account, 1) for each in (pool, other_pool))) == [False, False]
    assert len(asked) == 1


async def test_a_dead_replica_lets_go_of_the_account(
    pool: AccountPool, world: World, engine: AsyncEngine, database_url: str
) -> None:
    """B6: its connection held the lock."""
    account = await expired(pool, world)
    taken = asyncio.Event()

    async def hold() -> None:
        name = f"proxy refresh {account.account_id}"
        async with lock(engine, name, wait_seconds=0, hold_seconds_max=60):
            taken.set()
            await asyncio.Event().wait()

    holder = asyncio.create_task(hold())
    await taken.wait()
    waiting = asyncio.create_task(pool.refresh(account, 1))
    await someone_waits(database_url)
    assert world.demo.upstream.credentials.refreshes == 0
    async with engine.connect() as connection:
        await connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
        )
    assert await waiting
    assert world.demo.upstream.credentials.refreshes == 1
    holder.cancel()
    await asyncio.gather(holder, return_exceptions=True)


async def forbid_updates(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE proxy.accounts ADD CONSTRAINT shut CHECK (token_version < 2)"))


async def allow_updates(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE proxy.accounts DROP CONSTRAINT shut"))


@asynccontextmanager
async def answering(status: int, body: str) -> AsyncIterator[str]:
    """The URL of a token endpoint with one answer."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=body, content_type="application/json")

    async with serving_token(answer) as url:
        yield url


@asynccontextmanager
async def serving_token(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """The URL of a token endpoint."""
    app = web.Application()
    app.router.add_post("/token", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    listener = bind(Listen("127.0.0.1", 0), setting="test")
    await web.SockSite(runner, listener).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/token"
    await runner.cleanup()
