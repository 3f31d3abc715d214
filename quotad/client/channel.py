"""Channels to daemons, one attempt on them, and what its failure means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import grpc

from protos.quota.v1 import quota_pb2_grpc as rpc
from quotad.client.tls import channel_credentials
from quotad.client.types import OutcomeUnknown
from quotad.errors import DeadlinePassed, InvalidRequest, QuotaError
from quotad.wire.errors import STATUS_METADATA, read_status_bytes
from quotad.wire.scalars import Malformed

ANSWER_BYTES_MAX = 48 * 1024 * 1024
"""A full page of keys that 128 limits bind, half of them their own, is about 36 MiB."""
METADATA_BYTES_MAX = 256 * 1024
"""A refusal names every violated limit in its trailing metadata; gRPC's own bound is 8 KiB."""
RECONNECT_MILLISECONDS_MAX = 1000
"""A restarted daemon is found again within a second; gRPC's own back-off grows to two minutes."""
KEEPALIVE_MILLISECONDS = 30_000
"""A peer that vanished without closing is noticed within this and the next bound."""
KEEPALIVE_ANSWER_MILLISECONDS = 5_000
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


@contextmanager
def building() -> Iterator[None]:
    """A value that no message can carry is a bad field like any other. Its text may be a secret and is not told."""
    try:
        yield
    except ValueError as exc:
        raise InvalidRequest("", "a number is beyond 64 bits, or a text is not valid Unicode") from exc


async def attempt(
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
            raise failure(exc, stubs.address) from exc
    except Malformed as exc:
        raise OutcomeUnknown(grpc.StatusCode.INTERNAL, f"the answer of quotad cannot be read: {exc}") from exc


def failure(error: grpc.aio.AioRpcError, address: str) -> QuotaError | OutcomeUnknown:
    """The ledger's own error where there is one; whatever else happened on the way says nothing definite."""
    for key, value in error.trailing_metadata() or ():
        if key == STATUS_METADATA and isinstance(value, bytes) and (known := read_status_bytes(value)):
            return definite(known)
    return OutcomeUnknown(error.code(), f"no answer from quotad at {address}: {error.details()}")


def definite(error: QuotaError) -> QuotaError | OutcomeUnknown:
    """That one attempt came too late says nothing about another one."""
    if isinstance(error, DeadlinePassed):
        return OutcomeUnknown(grpc.StatusCode.DEADLINE_EXCEEDED, error.message)
    return error


def open_channel(
    target: str, tls_ca: Path | None, tls_cert: Path | None = None, tls_key: Path | None = None
) -> grpc.aio.Channel:
    if tls_ca is None:
        return grpc.aio.insecure_channel(target, options=OPTIONS)
    return grpc.aio.secure_channel(target, channel_credentials(tls_ca, tls_cert, tls_key), options=OPTIONS)


def stubs_of(address: str, channel: grpc.aio.Channel) -> Stubs:
    return Stubs(address, rpc.QuotaServiceStub(channel), rpc.AdminServiceStub(channel))
