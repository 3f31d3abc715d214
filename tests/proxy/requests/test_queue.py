from __future__ import annotations

import asyncio

import pytest

from proxy.errors import StreamIncomplete
from proxy.requests.drains import Drains
from proxy.requests.handle import RequestHandle
from proxy.requests.patience import OutOfPatience, Patience
from proxy.requests.queue import ByteQueue
from proxy.requests.types import ResponseHead


async def test_a_full_queue_makes_the_writer_wait() -> None:
    queue = ByteQueue(4)
    await queue.put(b"abcdef")
    waiting = asyncio.create_task(queue.put(b"g"))
    await asyncio.sleep(0)
    assert not waiting.done()
    assert await queue.get() == b"abcdef"
    await waiting
    queue.close()
    assert await queue.get() == b"g"
    assert await queue.get() == b""


async def test_an_abandoned_queue_takes_everything_and_keeps_nothing() -> None:
    queue = ByteQueue(1)
    await queue.put(b"abc")
    waiting = asyncio.create_task(queue.put(b"d"))
    await asyncio.sleep(0)
    queue.abandon()
    await waiting
    for _ in range(100):
        await queue.put(b"more")
    queue.close()
    assert await queue.get() == b""


async def test_a_handle_tells_where_its_stream_broke() -> None:
    handle = RequestHandle(1000, patience_of())
    handle.open(ResponseHead(200, ()))
    await handle.send(b'data: {"response":{"id": "resp_1"},"sequence_number":0}\n\n')
    await handle.send(b'data: {"sequence_number":1}\n\ndata: {"sequence_number":2}\n\n')
    handle.end(StreamIncomplete())
    assert (await handle.head()).status == 200
    body = handle.body()
    assert (await anext(body)).count(b"\n\n") == 3
    with pytest.raises(StreamIncomplete):
        await anext(body)
    assert b"resp_1" in handle.first_sent
    assert handle.last_sent.endswith(b'{"sequence_number":2}\n\n')


def patience_of(
    drains: Drains | None = None,
    *,
    drain_seconds: float = 60,
    grace_seconds: float = 60,
    drain_bytes_max: int = 1000,
) -> Patience:
    return Patience(
        drains or Drains(10),
        total_seconds=60,
        drain_seconds=drain_seconds,
        drain_bytes_max=drain_bytes_max,
        grace_seconds=grace_seconds,
    )


async def leave_and_wait(patience: Patience, *, begins: bool) -> None:
    async with patience:
        patience.leave()
        if begins:
            patience.begin()
        await asyncio.Event().wait()


async def test_patience_is_short_when_the_caller_leaves_before_anything_came() -> None:
    """S13"""
    with pytest.raises(OutOfPatience):
        await leave_and_wait(patience_of(grace_seconds=0.01), begins=False)


async def test_patience_lasts_for_the_drain_once_something_came() -> None:
    """S13: also when that came after the caller had left."""
    clock = asyncio.get_running_loop().time
    start = clock()
    with pytest.raises(OutOfPatience):
        await leave_and_wait(patience_of(drain_seconds=0.05, grace_seconds=0.01), begins=True)
    assert clock() - start >= 0.05


async def test_a_caller_who_left_before_the_attempts_has_little_patience() -> None:
    patience = patience_of(grace_seconds=0.01)
    patience.leave()
    with pytest.raises(OutOfPatience):
        await leave_and_wait(patience, begins=False)


async def test_leaving_after_the_end_changes_nothing() -> None:
    patience = patience_of()
    async with patience:
        pass
    patience.leave()
    assert patience.has_left


async def test_a_drain_ends_once_too_much_of_it_came() -> None:
    """S13: bytes that came while the caller was there do not count."""
    patience = patience_of(drain_bytes_max=10)
    read = []

    async def drain() -> None:
        async with patience:
            patience.begin()
            patience.read(1000)
            patience.leave()
            for size in (4, 6, 1, 1):
                await asyncio.sleep(0.01)
                patience.read(size)
                read.append(size)

    with pytest.raises(OutOfPatience):
        await drain()
    assert read == [4, 6, 1]


async def test_the_oldest_drain_makes_room_for_the_newest() -> None:
    """S13"""
    drains = Drains(2)
    cut: list[int] = []

    async def drain(number: int) -> None:
        try:
            await leave_and_wait(patience_of(drains), begins=True)
        except OutOfPatience:
            cut.append(number)

    tasks = [asyncio.create_task(drain(number)) for number in range(4)]
    await asyncio.wait(tasks[:2])
    assert sorted(cut) == [0, 1]
    for task in tasks[2:]:
        assert not task.done()
        task.cancel()
    await asyncio.gather(*tasks[2:], return_exceptions=True)


async def test_a_drain_that_ended_makes_room() -> None:
    drains = Drains(1)
    for _ in range(2):
        async with patience_of(drains) as patience:
            patience.begin()
            patience.leave()
    with pytest.raises(OutOfPatience):
        await leave_and_wait(patience_of(drains, drain_seconds=0.01), begins=True)
