"""The ledger against the upstream's own book: every kind of answer, callers who leave, and a daemon that is killed."""

from __future__ import annotations

import asyncio
import random
import signal

import httpx2

from quotad.store.audit import differences
from tests.journeys.conftest import MadeKey, counters, create_key, listener_of
from tests.support.stack import RunningStack
from tests.support.waiting import eventually

REQUESTS = 240
OPEN_MAX = 16
KILL_AFTER = 80
"""Requests that have ended when quotad is killed."""
ANSWER_SECONDS = 30.0
BEHAVIOURS = (
    *("honest", "honest", "slow;ms=5", "no_usage", "incomplete", "failed;usage=yes", "failed", "500", "503", "400"),
    *("html", "reset", "reset;after=3", "cut;after=4", "half_event", "error;code=server_error"),
)


class Crowd:
    """Callers of one key, over both replicas."""

    def __init__(self, stack: RunningStack, key: MadeKey, http: httpx2.AsyncClient) -> None:
        self._stack = stack
        self._key = key
        self._http = http
        self._open = asyncio.Semaphore(OPEN_MAX)
        self._chance = random.Random(7)
        self._ended = 0
        self.is_time_to_kill = asyncio.Event()

    async def call(self) -> None:
        chance, proxy = self._chance, self._chance.choice(self._stack.ready["proxies"])
        path = chance.choice(("/v1/responses", "/v1/responses", "/v1/responses/compact"))
        body: dict[str, object] = {"model": "gpt-5.1", "input": "word " * chance.randrange(1, 100)}
        if not path.endswith("compact"):
            body["stream"] = chance.random() < 0.7
        headers = {"authorization": f"Bearer {self._key.secret}", "x-demo-behaviour": chance.choice(BEHAVIOURS)}
        patience = chance.random() / 20 if chance.random() < 0.3 else ANSWER_SECONDS
        async with self._open:
            try:
                async with asyncio.timeout(patience):
                    await self._http.post(proxy + path, json=body, headers=headers)
            except TimeoutError:
                assert patience < ANSWER_SECONDS, "an answer never came"
        self._ended += 1
        if self._ended == KILL_AFTER:
            self.is_time_to_kill.set()


async def test_what_is_charged_is_what_the_upstream_says_that_it_reported(stack: RunningStack) -> None:
    """B2, B4, S1, S12, S13: to the token, with quotad killed on the way."""
    key = create_key(stack, "truth", "total_tokens:day:100000000", "requests:day:100000")
    host, port = stack.ready["quotad"].rsplit(":", 1)
    book_url = f"http://{host}:{int(port) + 2}/demo/book"
    async with httpx2.AsyncClient(timeout=ANSWER_SECONDS) as http:
        before = await reported(http, book_url)
        crowd = Crowd(stack, key, http)
        async with asyncio.TaskGroup() as callers:
            for _ in range(REQUESTS):
                callers.create_task(crowd.call())
            await crowd.is_time_to_kill.wait()
            listener_of(f"http://{stack.ready['quotad']}").send_signal(signal.SIGKILL)

        async def is_settled() -> bool:
            return await held(stack, key) == 0

        await eventually(is_settled, 30)
        expected = await reported(http, book_url) - before
    assert expected > 0
    assert await counters(stack, key, "total_tokens") == (expected, 0)
    assert await differences(stack.ready["database_url"]) == []


async def reported(http: httpx2.AsyncClient, book_url: str) -> int:
    """All tokens in usage reports that the upstream has sent so far."""
    book = (await http.get(book_url)).json()
    return sum(entry["usage"]["total_tokens"] for entry in book["entries"] if entry["usage"])


async def held(stack: RunningStack, key: MadeKey) -> int:
    """What open reservations of the key hold; the daemon may be coming back."""
    return (await counters(stack, key, "total_tokens"))[1]
