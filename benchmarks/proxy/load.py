"""The load process: reads a `LoadSpec` from standard input, keeps its connections busy, prints a `LoadResult`.

python -m benchmarks.proxy.load < spec.json
"""

from __future__ import annotations

import asyncio
import json
import sys
from array import array
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import cast
from urllib.parse import urlsplit

import uvloop

from benchmarks.ledger.measuring import cpu_seconds, latency, spent
from benchmarks.ledger.spec import Latency
from benchmarks.proxy.patterns import Api, Pattern, request_body

END = b"\r\n0\r\n\r\n"
EVENT_END = b"\n\n"
SUCCESS = b"HTTP/1.1 200"
ERROR_CHARACTERS_MAX = 300
CONNECT_SECONDS_MAX = 60.0
CONNECTING_MAX = 64
REST_SECONDS_MAX = 600.0
"""For the answers that are under way when the time is up."""


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """One load."""

    url: str
    """A base URL, to which the API's path is appended."""
    pattern: Pattern
    api: Api = Api.RESPONSES
    key: str = ""
    connections: int = 1
    warm_up_seconds: float = 0.0
    measured_seconds: float = 1.0
    """0: every connection asks once, all at the same time."""
    watched: Mapping[str, int] = field(default_factory=dict)
    """Name to process id: whose CPU time, children included, is measured."""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> LoadSpec:
        values = json.loads(text)
        return cls(**{**values, "pattern": Pattern(**values["pattern"]), "api": Api(values["api"])})


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What happened within the measured time."""

    seconds: float
    requests: int
    events: int
    errors: int
    first_error: str
    first_byte: Latency | None
    whole: Latency | None
    cpu_seconds: Mapping[str, float]

    @property
    def requests_per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def events_per_second(self) -> float:
        return self.events / self.seconds

    def cores(self, name: str) -> float:
        return self.cpu_seconds[name] / self.seconds

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> LoadResult:
        values = json.loads(text)
        for name in ("first_byte", "whole"):
            values[name] = None if values[name] is None else Latency(**values[name])
        return cls(**values)


class Tally:
    """What all connections have counted since the measuring began."""

    def __init__(self) -> None:
        self.running = True
        self.errors = 0
        self.first_error = ""
        self.forget()

    def forget(self) -> None:
        self.requests = self.events = 0
        self.first_bytes, self.wholes = array("d"), array("d")


class Asking(asyncio.Protocol):
    """One connection that asks again as soon as it was answered."""

    _transport: asyncio.Transport

    def __init__(self, request: bytes, tally: Tally, *, repeats: bool) -> None:
        self._request = request
        self._tally = tally
        self._repeats = repeats
        self._tail = b""
        self._began = 0.0
        self._has_begun = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self._fail(f"the connection was lost: {exc}")

    def ask(self) -> None:
        self._began, self._has_begun, self._tail = perf_counter(), False, b""
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self._tail and not data.startswith(SUCCESS):
            self._fail(data.decode(errors="replace"))
            return
        seen = self._tail + data
        if not self._has_begun and b"data: " in seen:
            self._has_begun = True
            self._tally.first_bytes.append(perf_counter() - self._began)
        self._tally.events += data.count(EVENT_END)
        self._tail = seen[-len(END) :]
        if self._tail == END:
            self._end()

    def _end(self) -> None:
        self._tally.wholes.append(perf_counter() - self._began)
        self._tally.requests += 1
        if self._repeats and self._tally.running:
            self.ask()
        else:
            self.ended.set_result(None)
            self._transport.close()

    def _fail(self, error: str) -> None:
        self._tally.errors += 1
        self._tally.first_error = self._tally.first_error or error[:ERROR_CHARACTERS_MAX]
        if not self.ended.done():
            self.ended.set_result(None)
        self._transport.close()


async def run(spec: LoadSpec) -> LoadResult:
    """Do what the spec says."""
    tally = Tally()
    callers = await _connected(spec, tally)
    for caller in callers:
        caller.ask()
    await asyncio.sleep(spec.warm_up_seconds)
    if spec.measured_seconds:
        tally.forget()
    began, before = perf_counter(), cpu_seconds(spec.watched)
    if spec.measured_seconds:
        await asyncio.sleep(spec.measured_seconds)
        result = _result(tally, perf_counter() - began, spent(before, cpu_seconds(spec.watched)))
        tally.running = False
        await asyncio.wait([caller.ended for caller in callers], timeout=REST_SECONDS_MAX)
        return result
    await asyncio.wait([caller.ended for caller in callers], timeout=REST_SECONDS_MAX)
    return _result(tally, perf_counter() - began, spent(before, cpu_seconds(spec.watched)))


async def _connected(spec: LoadSpec, tally: Tally) -> list[Asking]:
    address = urlsplit(spec.url)
    request = _request(spec, address.netloc, address.path)
    loop = asyncio.get_running_loop()
    connecting = asyncio.Semaphore(CONNECTING_MAX)

    async def connect() -> Asking:
        async with connecting, asyncio.timeout(CONNECT_SECONDS_MAX):
            _, caller = await loop.create_connection(
                lambda: Asking(request, tally, repeats=spec.measured_seconds > 0),
                str(address.hostname),
                address.port or 80,
            )
            return caller

    return list(await asyncio.gather(*(connect() for _ in range(spec.connections))))


def _request(spec: LoadSpec, host: str, base_path: str) -> bytes:
    body = request_body(spec.pattern, spec.api)
    lines = (
        f"POST {base_path}{spec.api} HTTP/1.1",
        f"host: {host}",
        f"authorization: Bearer {spec.key}",
        "content-type: application/json",
        f"content-length: {len(body)}",
    )
    return "\r\n".join((*lines, "", "")).encode() + body


def _result(tally: Tally, seconds: float, cpu: dict[str, float]) -> LoadResult:
    return LoadResult(
        seconds=seconds,
        requests=tally.requests,
        events=tally.events,
        errors=tally.errors,
        first_error=tally.first_error,
        first_byte=latency(tally.first_bytes),
        whole=latency(tally.wholes),
        cpu_seconds=cpu,
    )


if __name__ == "__main__":
    print(uvloop.run(run(LoadSpec.from_json(sys.stdin.read()))).to_json())
