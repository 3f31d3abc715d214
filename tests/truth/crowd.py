"""Callers of every kind, and what each of them saw."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random

import httpx2

from quotad.client.types import CreatedKey
from tests.truth.site import Site

ANSWER_SECONDS = 40.0
SPEEDS = ("honest", "honest", "slow;ms=2", "slow;ms=10")
ENDINGS = (
    *("no_usage", "incomplete", "incomplete;usage=no", "failed;usage=yes", "failed", "error;code=server_error"),
    *(
        "400",
        "500",
        "503",
        "429;kind=rate;retry-after=1",
        "html",
        "reset",
        "reset;after=3",
        "cut;after=4",
        "half_event",
    ),
)
LEAVE_SHARE = 0.25
MISBEHAVIOUR_SHARE = 0.4


class Kind(StrEnum):
    """What is asked: its path, and whether it may stream."""

    RESPONSES = "/v1/responses"
    CODEX = "/backend-api/codex/responses"
    COMPACT = "/v1/responses/compact"
    CHAT = "/v1/chat/completions"


@dataclass(slots=True)
class Seen:
    """One request as its caller saw it. Times are monotonic."""

    label: str
    asked: str
    """Path, whether it streams, and how the upstream was told to behave."""
    proxy: int
    began: float
    ended: float = 0.0
    status: int | None = None
    """None where the answer broke off, or the caller left; any other answer came to its end, and was settled before."""


class Crowd:
    """Asks until told to stop, a bounded number at a time."""

    def __init__(self, site: Site, keys: list[CreatedKey], chance: Random) -> None:
        self._site = site
        self._keys = keys
        self._chance = chance
        self._http = httpx2.AsyncClient(
            timeout=ANSWER_SECONDS, trust_env=False, limits=httpx2.Limits(max_connections=100)
        )
        self.seen: list[Seen] = []
        self.stopping = asyncio.Event()

    async def run(self, callers: int) -> None:
        async with self._http, asyncio.TaskGroup() as asking:
            for _ in range(callers):
                asking.create_task(self._ask_on())

    async def _ask_on(self) -> None:
        while not self.stopping.is_set():
            await self._ask()

    async def _ask(self) -> None:
        chance = self._chance
        proxy = chance.randrange(len(self._site.proxy_urls))
        kind, label = chance.choice(tuple(Kind)), f"truth-{len(self.seen)}"
        body, headers = self._body(kind, label), self._headers(label)
        asked = f"{kind} stream={body.get('stream')} {headers['x-demo-behaviour']}"
        seen = Seen(label, asked, proxy, time.monotonic())
        self.seen.append(seen)
        patience = chance.random() / 10 if chance.random() < LEAVE_SHARE else ANSWER_SECONDS
        try:
            async with asyncio.timeout(patience):
                answer = await self._http.post(self._site.proxy_urls[proxy] + kind, json=body, headers=headers)
            seen.status = answer.status_code
        except TimeoutError:
            assert patience < ANSWER_SECONDS, f"no answer to {seen.label}"
        except httpx2.HTTPError:
            await asyncio.sleep(0.05)  # its proxy is gone: leave it the time to come back
        finally:
            seen.ended = time.monotonic()

    def _body(self, kind: Kind, label: str) -> Mapping[str, object]:
        said = "word " * self._chance.randrange(1, 100)
        body: dict[str, object] = {"model": "gpt-5.1", "metadata": {"label": label}}
        if kind is Kind.CHAT:
            body["messages"] = [{"role": "user", "content": said}]
        else:
            body["input"] = said
        if kind is not Kind.COMPACT:
            body["stream"] = self._chance.random() < 0.7
        return body

    def _headers(self, label: str) -> Mapping[str, str]:
        chance = self._chance
        behaviour = chance.choice(ENDINGS if chance.random() < MISBEHAVIOUR_SHARE else SPEEDS)
        return {
            "authorization": f"Bearer {chance.choice(self._keys).secret}",
            "x-request-id": label,
            "x-demo-behaviour": behaviour,
            "x-demo-words": str(chance.randrange(1, 30)),
        }
