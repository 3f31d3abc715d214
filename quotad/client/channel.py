"""Calls that are repeated with the same content until they have a definite answer or their time is up."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import grpc
import stamina

from protos.quota.v1 import quota_pb2_grpc as rpc
from quotad.client.types import OutcomeUnknown
from quotad.errors import InvalidRequest, QuotaError, Unavailable
from quotad.wire.errors import STATUS_METADATA, read_status_bytes
from quotad.wire.scalars import Malformed

ANSWER_BYTES_MAX = 32 * 1024 * 1024
"""A full page of keys with 64 limits each is about 24 MiB."""
METADATA_BYTES_MAX = 256 * 1024
"""A refusal names every violated limit in its trailing metadata; gRPC's own bound is 8 KiB."""
RECONNECT_MILLISECONDS_MAX = 1000
"""A restarted daemon is found again within a second; gRPC's own back-off grows to two minutes."""
KEEPALIVE_MILLISECONDS = 30_000
"""A peer that vanished without closing is noticed within this and the next bound."""
KEEPALIVE_ANSWER_MILLISECONDS = 5_000
RETRY_PAUSE_SECONDS_MIN = 0.05
RETRY_PAUSE_SECONDS_MAX = 1.0

RETRIED = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED},
)
"""Indefinite outcomes that another attempt may resolve; INTERNAL and UNKNOWN would only fail again."""

OPTIONS = (
    ("grpc.max_receive_message_length", ANSWER_BYTES_MAX),
    ("grpc.max_metadata_size", METADATA_BYTES_MAX),
    ("grpc.absolute_max_metadata_size", METADATA_BYTES_MAX),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", RECONNECT_MILLISECONDS_MAX),
    ("grpc.keepalive_time_ms", KEEPALIVE_MILLISECONDS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_ANSWER_MILLISECONDS),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.lb_policy_name", "round_robin"),
)

Request = TypeVar("Request")
Response = TypeVar("Response")
Value = TypeVar("Value")
Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Stubs:
    """One daemon's services."""

    address: str
    quota: rpc.QuotaServiceAsyncStub
    admin: rpc.AdminServiceAsyncStub


class Connection:
    """Channels to one or more daemons of one ledger, used in turn. Make it in the event loop that uses it.

    `call_timeout_seconds` bounds one attempt, `retry_seconds` a call with its repeats.
    """

    def __init__(
        self,
        addresses: str | Sequence[str],
        token: str,
        *,
        call_timeout_seconds: float = 5.0,
        retry_seconds: float = 10.0,
        tls_ca: Path | None = None,
    ) -> None:
        targets = (addresses,) if isinstance(addresses, str) else tuple(addresses)
        self._channels = [_channel(target, tls_ca) for target in targets]
        self._turns = itertools.cycle(_stubs(*pair) for pair in zip(targets, self._channels, strict=True))
        self._authorization: Metadata = (("authorization", f"Bearer {token}"),)
        self._call_timeout_seconds = call_timeout_seconds
        self._retry_seconds = retry_seconds

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Cut calls under way; their outcome is unknown."""
        for channel in self._channels:
            await channel.close()

    async def call(
        self,
        pick: Callable[[Stubs], grpc.aio.UnaryUnaryMultiCallable[Request, Response]],
        request: Request,
        read: Callable[[Response], Value],
        *,
        metadata: Metadata = (),
    ) -> Value:
        """Raises the ledger's own `QuotaError`, or `OutcomeUnknown` when no attempt had a definite answer."""
        ends = asyncio.get_running_loop().time() + self._retry_seconds
        pause_max = min(RETRY_PAUSE_SECONDS_MAX, self._retry_seconds / 4)
        metadata = (*self._authorization, *metadata)

        def pause(error: Exception) -> bool | float:
            return _pause(error, ends - asyncio.get_running_loop().time(), pause_max)

        async for attempt in stamina.retry_context(
            pause,
            attempts=None,
            timeout=None,
            wait_initial=RETRY_PAUSE_SECONDS_MIN,
            wait_max=pause_max,
            wait_jitter=0.05,
        ):
            with attempt:
                seconds = min(self._call_timeout_seconds, ends - asyncio.get_running_loop().time())
                return await _attempt(next(self._turns), pick, request, read, seconds, metadata)
        raise AssertionError("a retry context ends by an answer or an error")


@contextmanager
def building() -> Iterator[None]:
    """A value that no message can carry is a bad field like any other. Its text may be a secret and is not told."""
    try:
        yield
    except ValueError as exc:
        raise InvalidRequest("", "a number is beyond 64 bits, or a text is not valid Unicode") from exc


async def _attempt(
    stubs: Stubs,
    pick: Callable[[Stubs], grpc.aio.UnaryUnaryMultiCallable[Request, Response]],
    request: Request,
    read: Callable[[Response], Value],
    seconds: float,
    metadata: Metadata,
) -> Value:
    try:
        try:
            return read(await pick(stubs)(request, timeout=seconds, metadata=metadata))
        except grpc.aio.AioRpcError as exc:
            raise _failure(exc, stubs.address) from exc
    except Malformed as exc:
        raise OutcomeUnknown(grpc.StatusCode.INTERNAL, f"the answer of quotad cannot be read: {exc}") from exc


def _failure(error: grpc.aio.AioRpcError, address: str) -> QuotaError | OutcomeUnknown:
    """The ledger's own error where there is one; whatever else happened on the way says nothing definite."""
    for key, value in error.trailing_metadata() or ():
        if key == STATUS_METADATA and isinstance(value, bytes) and (known := read_status_bytes(value)):
            return known
    return OutcomeUnknown(error.code(), f"no answer from quotad at {address}: {error.details()}")


def _pause(error: Exception, seconds_left: float, pause_max: float) -> bool | float:
    """Seconds to wait before another attempt, True for the usual back-off, False where none is due."""
    if isinstance(error, Unavailable):
        asked = max(error.retry_after.total_seconds(), RETRY_PAUSE_SECONDS_MIN)
        return asked if asked < seconds_left else False
    return isinstance(error, OutcomeUnknown) and error.code in RETRIED and pause_max < seconds_left


def _channel(target: str, tls_ca: Path | None) -> grpc.aio.Channel:
    if tls_ca is None:
        return grpc.aio.insecure_channel(target, options=OPTIONS)
    credentials = grpc.ssl_channel_credentials(tls_ca.read_bytes())
    return grpc.aio.secure_channel(target, credentials, options=OPTIONS)


def _stubs(address: str, channel: grpc.aio.Channel) -> Stubs:
    return Stubs(address, rpc.QuotaServiceStub(channel), rpc.AdminServiceStub(channel))
