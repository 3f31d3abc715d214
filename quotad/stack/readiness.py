"""Whether a child really answers, asked the way its callers will ask it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from servicekit.listening import Listen

PROBE_SECONDS_MAX = 2.0

Probe = Callable[[], Awaitable[bool]]


def http_probe(listen: Listen, path: str) -> Probe:
    """True once `GET path` answers 200."""

    async def probe() -> bool:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(PROBE_SECONDS_MAX):
                return await _status_line(listen, path) == b"200"
        return False

    return probe


def grpc_probe(listen: Listen) -> Probe:
    """True once the daemon's health service says SERVING."""

    async def probe() -> bool:
        async with grpc.aio.insecure_channel(str(listen)) as channel:
            try:
                answer = await health_pb2_grpc.HealthStub(channel).Check(
                    health_pb2.HealthCheckRequest(), timeout=PROBE_SECONDS_MAX
                )
            except grpc.aio.AioRpcError:
                return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    return probe


def every(*probes: Probe) -> Probe:
    """True once all are."""

    async def probe() -> bool:
        return all([await each() for each in probes])

    return probe


async def _status_line(listen: Listen, path: str) -> bytes:
    reader, writer = await asyncio.open_connection(listen.host, listen.port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {listen}\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        _, _, rest = (await reader.readline()).partition(b" ")
        return rest[:3]
    finally:
        writer.close()
