"""Concurrent calls in few messages, on real sockets."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from protos.quota.v1 import quota_pb2 as pb
from quotad import errors as e
from quotad.client import OutcomeUnknown, QuotaClient
from quotad.client.messages import REQUEST_BYTES_MAX
from quotad.client.types import ClientClosed, ReservationState
from tests.support.daemons import ADMIN_TOKEN, DATA_TOKEN, Daemon, limit, quotad
from tests.support.processes import RunningProcess, command, running
from tests.support.stack import clean_environment
from tests.support.streams import Fate, StreamRelay, stream_relay
from tests.support.waiting import eventually

TASKS = 200


@pytest.fixture
async def relay(daemon: Daemon) -> AsyncIterator[StreamRelay]:
    async with stream_relay(daemon.address) as relay:
        yield relay


@pytest.fixture
async def client(relay: StreamRelay) -> AsyncIterator[QuotaClient]:
    async with QuotaClient(relay.address, DATA_TOKEN) as client:
        yield client


@contextmanager
def daemon_process(database_url: str, directory: Path) -> Iterator[tuple[RunningProcess, str]]:
    """A daemon that can be stopped and killed, and its address."""
    env = {
        **clean_environment(),
        "QUOTA_DATA_DIR": str(directory / "data"),
        "QUOTAD_DATABASE_URL": database_url,
        "QUOTAD_BOOTSTRAP_DATA_TOKEN": DATA_TOKEN,
        "QUOTAD_BOOTSTRAP_ADMIN_TOKEN": ADMIN_TOKEN,
    }
    argv = [command("quotad"), "serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]
    with running(argv, directory / "log", env=env, cwd=directory) as process:
        output = process.wait_for_output("quotad is ready")
        ready = next(json.loads(line) for line in output.splitlines() if "quotad is ready" in line)
        yield process, ready["address"]


async def reserve(client: QuotaClient, reservation_id: str, secret: str) -> None:
    await client.reserve(reservation_id, api_key=secret, model="m", amounts={"total_tokens": 1})


def exchanges() -> list[asyncio.Task[object]]:
    """The tasks of streams that are left."""
    return [task for task in asyncio.all_tasks() if "exchange" in task.get_name()]


async def streams_ended(daemon: Daemon) -> float:
    """How many streams daemons of this process have ended by themselves."""
    series = 'quotad_calls_total{reason="OVERLOADED",rpc="Exchange"} '
    lines = (await daemon.metrics()).splitlines()
    return next((float(line.removeprefix(series)) for line in lines if line.startswith(series)), 0.0)


async def test_what_many_tasks_ask_travels_in_few_messages(
    daemon: Daemon, relay: StreamRelay, client: QuotaClient
) -> None:
    key = await daemon.create_key()
    await asyncio.gather(*(reserve(client, str(n), key.secret) for n in range(TASKS)))
    assert relay.streams == 1
    assert len(relay.messages) <= 5
    assert sum(len(message.operations) for message in relay.messages) == TASKS
    assert (await client.describe_key(api_key=key.secret)).limits[0].held == TASKS


async def test_a_bad_operation_harms_no_neighbour(daemon: Daemon, relay: StreamRelay, client: QuotaClient) -> None:
    """One that is refused, one that is wrong, and one that fits into no message, among good ones."""
    key, poor = await daemon.create_key(), await daemon.create_key(limit(max_value=0), name="poor")
    ids = [f"i{n}" for n in range(200_000)]
    answers = await asyncio.gather(
        reserve(client, "good", key.secret),
        reserve(client, "refused", poor.secret),
        reserve(client, "bad id", key.secret),
        client.renew(ids, lease_seconds=60),
        reserve(client, "good-too", key.secret),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers[:3]] == [type(None), e.RequestExceedsLimit, e.InvalidRequest]
    assert isinstance(answers[3], OutcomeUnknown)  # the relay has streams alone
    assert answers[4] is None
    assert relay.streams == 1


async def test_a_request_that_fits_into_no_message_is_refused_as_a_call(daemon: Daemon) -> None:
    async with daemon.data() as client:
        with pytest.raises(e.InvalidRequest):
            await client.release("one", reason="r" * REQUEST_BYTES_MAX)


async def test_operations_that_wait_for_a_lock_do_not_hold_others_up(daemon: Daemon) -> None:
    """Each waits in a message of its own, more of them than there are messages under way."""
    locked, free = await daemon.create_key(), await daemon.create_key(name="free")
    async with daemon.data() as client:
        await reserve(client, "first", locked.secret)
        await reserve(client, "other", free.secret)
        async with daemon.key_windows_locked(locked.api_key.api_key_id):
            waiting = []
            for n in range(4):
                waiting.append(asyncio.create_task(reserve(client, f"locked-{n}", locked.secret)))
                await daemon.someone_waits()
                await client.describe_key(api_key=free.secret)
            assert not any(task.done() for task in waiting)
        await asyncio.gather(*waiting)


@pytest.mark.parametrize("fate", [Fate.REQUEST_LOST, Fate.ANSWER_LOST])
async def test_what_a_broken_stream_left_is_asked_again_with_the_same_ids(
    daemon: Daemon, relay: StreamRelay, client: QuotaClient, fate: Fate
) -> None:
    """B3: whether or not it had taken effect."""
    key = await daemon.create_key()
    relay.fate = lambda message: fate if len(relay.messages) == 1 else Fate.ANSWERED
    await asyncio.gather(*(reserve(client, str(n), key.secret) for n in range(20)))
    assert relay.streams == 2
    assert {tuple(relay.operations(str(n))) for n in range(20)} <= {("reserve", "reserve"), ("reserve",)}
    assert (await client.describe_key(api_key=key.secret)).limits[0].held == 20


async def test_a_stream_whose_time_is_over_is_opened_again_unnoticed(
    database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """No call has to be repeated."""
    async with quotad(database_url, stream_seconds_max=0.3) as daemon, daemon.data() as client:
        key = await daemon.create_key(limit(max_value=10**9))
        before, count = await streams_ended(daemon), 0
        while await streams_ended(daemon) < before + 3:
            await asyncio.gather(*(reserve(client, str(count + n), key.secret) for n in range(10)))
            count += 10
        assert (await client.describe_key(api_key=key.secret)).limits[0].held == count
    assert "retry_scheduled" not in capfd.readouterr().out


async def test_operations_on_one_id_prefer_one_daemon_and_find_another_one(daemon: Daemon) -> None:
    key = await daemon.create_key()
    async with stream_relay(daemon.address) as one, stream_relay(daemon.address) as two:
        async with QuotaClient([one.address, two.address], DATA_TOKEN) as client:
            for n in range(10):
                await reserve(client, str(n), key.secret)
                await client.release(str(n))
            pairs = [(one.operations(str(n)), two.operations(str(n))) for n in range(10)]
            assert all(pair in ((["reserve", "release"], []), ([], ["reserve", "release"])) for pair in pairs)
            assert one.messages
            assert two.messages
            one.fate = lambda message: Fate.REQUEST_LOST
            tried = len(one.messages)
            for n in range(10, 40):
                await reserve(client, str(n), key.secret)
            assert 1 <= len(one.messages) - tried <= 3  # others pass it over while it is away
            one.fate = lambda message: Fate.ANSWERED

            async def is_back() -> bool:
                """Not tried by one operation only, but used again."""
                await asyncio.gather(*(client.release(str(n)) for n in range(10, 40)))
                return len(one.messages[-1].operations) > 1

            await eventually(is_back)


async def test_a_killed_daemons_operations_are_resolved_by_another_one(daemon: Daemon, tmp_path: Path) -> None:
    """U4: whatever the killed one had done."""
    key = await daemon.create_key()
    with daemon_process(daemon.database_url, tmp_path) as (process, address):
        async with QuotaClient([address, daemon.address], DATA_TOKEN) as client:
            await asyncio.gather(*(reserve(client, str(n), key.secret) for n in range(20)))
            async with daemon.windows_locked():
                under_way = [asyncio.create_task(reserve(client, str(n), key.secret)) for n in range(20, 40)]
                await daemon.someone_waits()
                process.kill()
            await asyncio.gather(*under_way)
            assert (await client.describe_key(api_key=key.secret)).limits[0].held == 40


async def test_time_outs_are_kept_while_the_daemon_is_stopped(daemon: Daemon, tmp_path: Path) -> None:
    key = await daemon.create_key()
    with daemon_process(daemon.database_url, tmp_path) as (process, address):
        async with QuotaClient(address, DATA_TOKEN, call_timeout_seconds=0.4, retry_seconds=0.5) as client:
            await reserve(client, "before", key.secret)
            process.signal(signal.SIGSTOP)
            began = time.monotonic()
            with pytest.raises(OutcomeUnknown) as unknown:
                await reserve(client, "during", key.secret)
            assert time.monotonic() - began < 2
            assert unknown.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
            process.signal(signal.SIGCONT)
        async with QuotaClient(address, DATA_TOKEN) as client:
            await reserve(client, "during", key.secret)
            assert (await client.describe_key(api_key=key.secret)).limits[0].held == 2


@pytest.mark.parametrize("coalesce", [True, False])
async def test_a_close_ends_calls_under_way_with_an_unknown_outcome(daemon: Daemon, *, coalesce: bool) -> None:
    key = await daemon.create_key()
    client = QuotaClient(daemon.address, DATA_TOKEN, coalesce=coalesce)
    async with daemon.windows_locked():
        calls = [asyncio.create_task(reserve(client, str(n), key.secret)) for n in range(3)]
        await daemon.someone_waits()
        await client.close()
        answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(answer) for answer in answers] == [ClientClosed] * 3
    assert exchanges() == []
    with pytest.raises(ClientClosed):
        await reserve(client, "after", key.secret)


async def test_a_caller_that_is_cancelled_leaves_the_queue(
    daemon: Daemon, relay: StreamRelay, client: QuotaClient
) -> None:
    """Its operation is never sent, and those beside it are."""
    key = await daemon.create_key()
    gone = asyncio.create_task(reserve(client, "gone", key.secret))
    stays = asyncio.create_task(reserve(client, "stays", key.secret))
    await asyncio.sleep(0)
    gone.cancel()
    await stays
    assert (relay.operations("gone"), relay.operations("stays")) == ([], ["reserve"])


async def test_an_answer_without_all_results_leaves_nobody_waiting(
    daemon: Daemon, relay: StreamRelay, client: QuotaClient
) -> None:
    """However wrong the other end is, every call ends."""
    relay.results_max = 1
    answers = await asyncio.gather(client.release("one"), client.release("two"), return_exceptions=True)
    assert isinstance(answers[1], OutcomeUnknown)
    assert answers[1].code is grpc.StatusCode.INTERNAL


async def test_a_refused_token_is_told_to_every_caller(daemon: Daemon) -> None:
    async with QuotaClient(daemon.address, "wrong-token-of-a-stranger") as client:
        answers = await asyncio.gather(*(client.release(str(n)) for n in range(5)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [e.CallerUnauthenticated] * 5


async def test_a_finalize_is_charged_once_though_every_first_answer_is_lost(
    daemon: Daemon, relay: StreamRelay, client: QuotaClient
) -> None:
    key = await daemon.create_key()
    seen: set[int] = set()

    def fate(message: pb.ExchangeRequest) -> Fate:
        seen.add(len(relay.messages))
        return Fate.ANSWER_LOST if len(seen) % 2 else Fate.ANSWERED

    relay.fate = fate
    async with client.reservation(api_key=key.secret, model="m", amounts={"total_tokens": 9}) as held:
        await held.finalize({"total_tokens": 4})
    settled = await client.get_reservation(held.reservation_id)
    assert (settled.state, settled.actual["total_tokens"]) == (ReservationState.FINALIZED, 4)
    assert (await client.describe_key(api_key=key.secret)).limits[0].used == 4
