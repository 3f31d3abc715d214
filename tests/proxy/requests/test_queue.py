from __future__ import annotations

import asyncio

import pytest

from proxy.errors import StreamIncomplete
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
    handle = RequestHandle(1000, Patience(total_seconds=9, drain_seconds=9))
    handle.open(ResponseHead(200, ()))
    await handle.send(b'data: {"response":{"id": "resp_1"},"sequence_number":0}\n\n')
    await handle.send(b'data: {"sequence_number":1}\n\ndata: {"sequence_number":2}\n\n')
    handle.end(StreamIncomplete())
    assert (await handle.head()).status == 200
    body = handle.body()
    assert (await anext(body)).count(b"\n\n") == 3
    with pytest.raises(StreamIncomplete):
        await anext(body)
    assert (handle.response_id, handle.sequence_number) == ("resp_1", 2)


async def leave_and_wait(patience: Patience, *, has_begun: bool) -> None:
    async with patience:
        patience.has_begun = has_begun
        patience.leave()
        await asyncio.Event().wait()


async def test_patience_ends_at_once_when_the_caller_leaves_before_anything_came() -> None:
    """S13"""
    with pytest.raises(OutOfPatience):
        await leave_and_wait(Patience(total_seconds=60, drain_seconds=60), has_begun=False)


async def test_patience_lasts_for_the_drain_once_something_came() -> None:
    """S13"""
    clock = asyncio.get_running_loop().time
    start = clock()
    with pytest.raises(OutOfPatience):
        await leave_and_wait(Patience(total_seconds=60, drain_seconds=0.05), has_begun=True)
    assert clock() - start >= 0.05


async def test_a_caller_who_left_before_the_attempts_has_no_patience() -> None:
    patience = Patience(total_seconds=60, drain_seconds=60)
    patience.leave()
    with pytest.raises(OutOfPatience):
        await leave_and_wait(patience, has_begun=False)


async def test_leaving_after_the_end_changes_nothing() -> None:
    patience = Patience(total_seconds=60, drain_seconds=60)
    async with patience:
        pass
    patience.leave()
    assert patience.has_left
