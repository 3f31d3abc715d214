from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from quotad import errors as e
from quotad.client import OutcomeUnknown, QuotaClient
from quotad.client.types import Scope
from tests.support.daemons import DATA_TOKEN, Daemon, limit, quotad


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@asynccontextmanager
async def silent_server() -> AsyncIterator[str]:
    """Takes connections and never says a word."""
    gone = asyncio.Event()

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gone.wait()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        gone.set()
        server.close()
        await server.wait_closed()


async def test_a_call_outlives_a_restart_of_the_daemon(database_url: str) -> None:
    """U1: every call may be repeated with the same id, so the client does."""
    address = free_address()
    async with quotad(database_url, listen=address) as first:
        key = await first.create_key()
    async with QuotaClient(address, DATA_TOKEN) as client:
        waiting = asyncio.create_task(client.reserve("one", api_key=key.secret, model="m", amounts={"total_tokens": 1}))
        async with quotad(database_url, listen=address):
            grant = await waiting
    assert grant.reservation.reservation_id == "one"


async def test_an_unreachable_daemon_is_an_unknown_outcome_within_its_bound() -> None:
    began = time.monotonic()
    async with QuotaClient(free_address(), DATA_TOKEN, retry_seconds=0.5) as client:
        with pytest.raises(OutcomeUnknown) as unknown:
            await client.describe_key(api_key="secret-of-somebody")
    assert unknown.value.code is grpc.StatusCode.UNAVAILABLE
    assert time.monotonic() - began < 3
    assert "somebody" not in str(unknown.value)


async def test_a_daemon_that_never_answers_is_an_unknown_outcome_within_its_bound() -> None:
    began = time.monotonic()
    async with (
        silent_server() as address,
        QuotaClient(address, DATA_TOKEN, call_timeout_seconds=0.2, retry_seconds=0.6) as client,
    ):
        with pytest.raises(OutcomeUnknown) as unknown:
            await client.release("one")
    assert unknown.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - began < 3


async def test_another_daemon_answers_for_one_that_is_gone(daemon: Daemon) -> None:
    """U4: several daemons, one ledger."""
    key = await daemon.create_key()
    async with QuotaClient([free_address(), daemon.address], DATA_TOKEN) as client:
        for _ in range(4):
            assert (await client.describe_key(api_key=key.secret)).api_key == key.api_key


async def test_a_definite_refusal_is_not_repeated(daemon: Daemon) -> None:
    key = await daemon.create_key(limit(max_value=0))
    async with daemon.data(retry_seconds=30) as client:
        began = time.monotonic()
        with pytest.raises(e.RequestExceedsLimit):
            await client.reserve("one", api_key=key.secret, model="m", amounts={"total_tokens": 1})
        assert time.monotonic() - began < 2


async def test_a_database_that_is_away_is_waited_for_within_the_bound(daemon: Daemon) -> None:
    key = await daemon.create_key()
    async with daemon.data(retry_seconds=0.5) as client:
        async with daemon.database_away():
            with pytest.raises(e.StoreUnavailable):
                await client.describe_key(api_key=key.secret)
    async with daemon.data(retry_seconds=15) as client:
        async with daemon.database_away():
            waiting = asyncio.create_task(client.describe_key(api_key=key.secret))
            await asyncio.wait([waiting], timeout=0.2)
        assert (await waiting).api_key == key.api_key


async def test_a_lost_answer_is_found_again_with_the_same_id(daemon: Daemon) -> None:
    """B3: the first attempt times out under a lock; the repeat holds once."""
    key = await daemon.create_key()
    async with daemon.data(call_timeout_seconds=0.4) as client:
        async with daemon.windows_locked():
            reserving = asyncio.create_task(
                client.reserve("one", api_key=key.secret, model="m", amounts={"total_tokens": 5})
            )
            await daemon.someone_waits()
            await asyncio.wait([reserving], timeout=0.6)
            assert not reserving.done()
        assert (await reserving).reservation.reserved["total_tokens"] == 5
        assert (await client.describe_key(api_key=key.secret)).limits[0].held == 5


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "\ud800"},
        {"amounts": {"total_tokens": 2**63}},
        {"labels": {"a": "\ud800"}},
        {"api_key": "secret\ud800"},
    ],
    ids=["model", "amount", "label", "secret"],
)
async def test_a_value_that_no_message_can_carry_is_a_bad_field(fields: dict[str, object]) -> None:
    arguments: dict[str, object] = {"api_key": "k", "model": "m", "amounts": {}, **fields}
    async with QuotaClient(free_address(), DATA_TOKEN) as client:
        with pytest.raises(e.InvalidRequest) as bad:
            await client.reserve("one", **arguments)  # type: ignore[arg-type]
    assert "secret" not in str(bad.value)


async def test_a_wrong_token_is_told_at_once(daemon: Daemon) -> None:
    async with QuotaClient(daemon.address, "wrong-token-of-a-stranger") as client:
        with pytest.raises(e.CallerUnauthenticated):
            await client.release("one", scope=Scope())
