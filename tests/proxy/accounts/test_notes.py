"""What requests learn of accounts: in memory at once, in the table and the other replicas within a second."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from proxy.accounts.opening import Accounts, open_accounts
from proxy.accounts.stickiness import Stickiness, sticky_key
from proxy.accounts.usages import Usages
from proxy.errors import NoAccounts, UpstreamFailed
from proxy.outgoing import Outgoing
from proxy.records.accounts import Account, AccountState
from proxy.records.secrets import SecretBox
from proxy.records.standings import list_standings
from tests.proxy.accounts.world import SETTINGS, World
from tests.support.waiting import eventually

CHANGE_SECONDS_MAX = 1.0
NONE: frozenset[str] = frozenset()
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def headers(percent: str, reset_after: str = "600") -> tuple[tuple[str, str], ...]:
    return (
        ("X-Codex-Primary-Used-Percent", percent),
        ("x-codex-primary-window-minutes", "300"),
        ("x-codex-primary-reset-after-seconds", reset_after),
    )


async def both(running: Accounts, world: World) -> tuple[Account, Account]:
    one, two = await world.add_static("one"), await world.add_static("two")
    await eventually(lambda: len(running.pool.accounts) == 2)
    by_id = {account.account_id: account for account in running.pool.accounts}
    return by_id[one], by_id[two]


async def test_a_back_off_reaches_the_other_replicas_and_outlives_the_process(
    running: Accounts,
    other_running: Accounts,
    world: World,
    engine: AsyncEngine,
    box: SecretBox,
    outgoing: Outgoing,
) -> None:
    one, two = await both(running, world)
    await eventually(lambda: len(other_running.pool.accounts) == 2)
    for _ in range(7):
        running.pool.note_failure(one, UpstreamFailed())

    def goes_last() -> bool:
        return {other_running.pool.select("m", NONE).account_id for _ in range(3)} == {two.account_id}

    await eventually(goes_last, CHANGE_SECONDS_MAX)
    async with open_accounts(engine, SETTINGS, box, outgoing) as restarted:
        assert {restarted.pool.select("m", NONE).account_id for _ in range(3)} == {two.account_id}
        assert restarted.pool.select("m", frozenset([two.account_id])) == one
    running.pool.note_success(one)
    await eventually(lambda: not goes_last(), CHANGE_SECONDS_MAX)


async def test_a_note_that_cannot_be_written_waits_for_the_database(
    running: Accounts, world: World, engine: AsyncEngine
) -> None:
    one, _ = await both(running, world)
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE proxy.account_standings RENAME TO away"))
    running.pool.note_failure(one, UpstreamFailed())
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE proxy.away RENAME TO account_standings"))

    async def stored() -> bool:
        async with engine.connect() as connection:
            return one.account_id in await list_standings(connection)

    await eventually(stored)


async def test_what_was_noted_is_written_when_the_worker_stops(
    engine: AsyncEngine, box: SecretBox, outgoing: Outgoing, world: World
) -> None:
    async with open_accounts(engine, SETTINGS, box, outgoing) as running:
        one, _ = await both(running, world)
        running.pool.note_failure(one, UpstreamFailed())
    async with engine.connect() as connection:
        standing = (await list_standings(connection))[one.account_id]
    assert standing.failures == 1
    assert standing.last_error.startswith("upstream_error: ")


async def test_headers_of_answers_tell_all_replicas_of_a_window(
    running: Accounts, other_running: Accounts, world: World
) -> None:
    one, _ = await both(running, world)
    running.pool.note_headers(one, headers("40"))
    assert {usage.primary.used_percent for usage in running.pool.serving_usage if usage.primary} == {40.0}

    def is_heard() -> bool:
        return any(usage.primary is not None for usage in other_running.pool.serving_usage)

    await eventually(is_heard, CHANGE_SECONDS_MAX)


async def test_a_window_that_an_answer_shows_used_up_limits_the_account_at_once_and_everywhere(
    running: Accounts, world: World
) -> None:
    one, two = await both(running, world)
    running.pool.note_headers(one, headers("100"))
    with pytest.raises(NoAccounts, match="1 rate_limited"):
        running.pool.select("m", frozenset([two.account_id]))

    async def stored() -> bool:
        return (await world.account("one")).state is AccountState.RATE_LIMITED

    await eventually(stored)


def test_of_one_accounts_headers_one_sample_in_a_while_is_taken_and_each_that_is_full() -> None:
    now = [0.0]
    usages = Usages(lambda: now[0], sample_seconds=15.0)

    def is_taken(percent: str) -> bool:
        return usages.note_headers("one", headers(percent), NOW) is not None

    assert is_taken("10")
    assert not is_taken("20")
    assert is_taken("100")
    assert not is_taken("100")
    now[0] = 15.0
    assert is_taken("30")


@pytest.mark.parametrize("percent", ["", "nan", "-1", "inf", "1e99", "full"])
def test_a_header_that_is_no_number_tells_nothing(percent: str) -> None:
    assert Usages(lambda: 0.0, sample_seconds=1.0).note_headers("one", headers(percent), NOW) is None


async def test_one_prompt_cache_key_meets_one_account_and_moves_with_what_is_usable(
    running: Accounts, world: World
) -> None:
    one, two = await both(running, world)
    key = sticky_key("key-id", "thread")
    first = running.pool.select("m", NONE, key)
    assert {running.pool.select("m", NONE, key).account_id for _ in range(6)} == {first.account_id}
    second = two if first.account_id == one.account_id else one
    assert running.pool.select("m", frozenset([first.account_id]), key).account_id == second.account_id
    assert running.pool.select("m", NONE, key).account_id == second.account_id, "its prompt is cached there"


def test_keys_of_two_callers_differ_and_no_key_sticks_to_nothing() -> None:
    assert sticky_key("a", "thread") != sticky_key("b", "thread")
    assert sticky_key("a", "") == sticky_key("a", None) == sticky_key("a", 7) == b""


def test_keys_are_forgotten_when_they_are_too_many_or_too_old() -> None:
    now = [0.0]
    stickiness = Stickiness(lambda: now[0], keys_max=2, seconds=10.0)
    for key in (b"1", b"2", b"1", b"3"):
        stickiness.remember(key, f"account of {key.decode()}")
    assert len(stickiness) == 2
    assert stickiness.account_of(b"2") == ""
    assert stickiness.account_of(b"1") == "account of 1"
    now[0] = 10.0
    assert stickiness.account_of(b"1") == ""
