"""Accounts in a real table: names, states, and the demo account that yields to real ones."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from cryptography.fernet import Fernet
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from proxy.records import read, write
from proxy.records.accounts import (
    TRANSITIONS,
    AccountInvalid,
    AccountNameTaken,
    AccountNotFound,
    AccountState,
    ApiKeyCredentials,
    NewAccount,
    OAuthCredentials,
)
from proxy.records.secrets import SecretBox
from proxy.records.tables import accounts

BOX = SecretBox(Fernet.generate_key(), "test")
END = datetime(2026, 5, 1, tzinfo=UTC)


def real(name: str = "one") -> NewAccount:
    return NewAccount(name, "https://api.example/v1/", ApiKeyCredentials("sk"))


DEMO = NewAccount("demo", "http://127.0.0.1:8070/v1", ApiKeyCredentials("demo"), is_demo=True)


async def names(connection: AsyncConnection) -> list[str]:
    return [account.name for account in await read.list_accounts(connection)]


async def test_a_name_is_taken_once(connection: AsyncConnection) -> None:
    await write.add_account(connection, real(), BOX)
    with pytest.raises(AccountNameTaken, match="'one' exists"):
        await write.add_account(connection, real(), BOX)


async def test_an_account_is_found_by_name_and_by_id(connection: AsyncConnection) -> None:
    account_id = await write.add_account(connection, real(), BOX)
    by_name = await read.get_account(connection, "one")
    assert by_name == await read.get_account(connection, account_id)
    assert by_name.base_url == "https://api.example/v1"
    with pytest.raises(AccountNotFound):
        await read.get_account(connection, "two")


async def test_a_real_account_ends_the_demo_one_in_the_same_transaction(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        assert await write.ensure_demo_account(connection, DEMO, BOX)
    async with engine.begin() as writing, engine.connect() as reading:
        await write.add_account(writing, real(), BOX)
        assert await names(reading) == ["demo"]
    async with engine.connect() as reading:
        assert await names(reading) == ["one"]


async def test_the_demo_account_stays_out_beside_a_real_one_and_returns_only_when_asked(
    connection: AsyncConnection,
) -> None:
    account_id = await write.add_account(connection, real(), BOX)
    assert not await write.ensure_demo_account(connection, DEMO, BOX)
    await write.remove_account(connection, account_id)
    assert await names(connection) == []
    assert await write.ensure_demo_account(connection, DEMO, BOX)
    assert await names(connection) == ["demo"]


async def test_a_paused_real_account_keeps_the_demo_one_out(connection: AsyncConnection) -> None:
    account_id = await write.add_account(connection, real(), BOX)
    await write.move_account(connection, account_id, AccountState.PAUSED)
    assert not await write.ensure_demo_account(connection, DEMO, BOX)


async def test_the_demo_account_follows_its_upstream_to_another_port(connection: AsyncConnection) -> None:
    await write.ensure_demo_account(connection, DEMO, BOX)
    moved = NewAccount("demo", "http://127.0.0.1:9002/v1", ApiKeyCredentials("demo"), is_demo=True)
    await write.ensure_demo_account(connection, moved, BOX)
    assert [account.base_url for account in await read.list_accounts(connection)] == ["http://127.0.0.1:9002/v1"]


async def test_a_race_of_a_real_and_the_demo_account_leaves_the_real_one(engine: AsyncEngine) -> None:
    async def add() -> None:
        async with engine.begin() as connection:
            await write.add_account(connection, real(), BOX)

    async def ensure() -> None:
        async with engine.begin() as connection:
            await write.ensure_demo_account(connection, DEMO, BOX)

    await asyncio.gather(ensure(), add(), ensure())
    async with engine.connect() as connection:
        assert await names(connection) == ["one"]


async def test_states_move_only_along_the_table(connection: AsyncConnection) -> None:
    account_id = await write.add_account(connection, real(), BOX)
    for start, end in product(AccountState, AccountState):
        begun = END if start.is_limited else None
        await connection.execute(accounts.update().values(state=start, until=begun))
        until = END + timedelta(hours=1) if end.is_limited else None
        moved = await write.move_account(connection, account_id, end, until=until)
        account = await read.get_account(connection, "one")
        assert moved == (start in TRANSITIONS[end]), (start, end)
        assert (account.state, account.until) == ((end, until) if moved else (start, begun))


@pytest.mark.parametrize(("state", "until"), [("rate_limited", None), ("active", END), ("resting", None)])
async def test_the_table_refuses_an_impossible_state(
    connection: AsyncConnection, state: str, until: datetime | None
) -> None:
    await write.add_account(connection, real(), BOX)
    with pytest.raises(IntegrityError):
        await connection.execute(accounts.update().values(state=state, until=until))


async def test_a_limit_that_has_passed_is_none(connection: AsyncConnection) -> None:
    account_id = await write.add_account(connection, real(), BOX)
    await write.move_account(connection, account_id, AccountState.RATE_LIMITED, until=END)
    account = await read.get_account(connection, "one")
    assert account.state_at(END - timedelta(seconds=1)) is AccountState.RATE_LIMITED
    assert account.state_at(END) is AccountState.ACTIVE


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "ftp://host/v1",
        "https://",
        "https://user:pw@host/v1",
        "https://host/v1?k=1",
        "http://h:x/",
        "http://[/",
    ],
)
def test_a_base_url_that_cannot_work_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(AccountInvalid, match="base url") as caught:
        NewAccount("one", url, ApiKeyCredentials("sk"))
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("secret", ["", "a b", "a\nb", "schlüssel"])
def test_a_secret_that_no_header_can_carry_is_refused_without_repeating_it(secret: str) -> None:
    with pytest.raises(AccountInvalid, match="api key") as caught:
        NewAccount("one", "https://host/v1", ApiKeyCredentials(secret))
    assert not secret or secret not in str(caught.value)


@pytest.mark.parametrize("name", ["", "x" * 129, "a\nb"])
def test_a_name_is_printable_and_short(name: str) -> None:
    with pytest.raises(AccountInvalid, match="name"):
        real(name)


def test_tokens_need_somewhere_to_be_refreshed() -> None:
    with pytest.raises(AccountInvalid, match="token URL"):
        NewAccount("one", "https://host/v1", OAuthCredentials("a", "r"))
