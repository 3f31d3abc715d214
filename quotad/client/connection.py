"""Calls that are repeated with the same content until they have a definite answer or their time is up."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc.aio

from quotad.client.channel import Metadata, Stubs, attempt, open_channel, stubs_of
from quotad.client.coalescing import Coalescer
from quotad.client.retrying import repeated
from quotad.client.tracing import trace_metadata
from quotad.client.types import ClientClosed

Request = TypeVar("Request")
Response = TypeVar("Response")
Value = TypeVar("Value")

_RPCS: dict[str, Callable[[Stubs], Any]] = {
    "reserve": lambda stubs: stubs.quota.Reserve,
    "renew": lambda stubs: stubs.quota.Renew,
    "finalize": lambda stubs: stubs.quota.Finalize,
    "release": lambda stubs: stubs.quota.Release,
    "get_reservation": lambda stubs: stubs.quota.GetReservation,
    "check": lambda stubs: stubs.quota.Check,
    "describe_key": lambda stubs: stubs.quota.DescribeKey,
}


class Connection:
    """Channels to one or more daemons of one ledger, used in turn. Make it in the event loop that uses it.

    `call_timeout_seconds` bounds one attempt, `retry_seconds` a call with its repeats. With `tls_ca`, the certificates
    to trust, the connection is encrypted; a daemon that asks for a client's certificate is shown `tls_cert`. With
    `coalesce`, operations of the data plane that many tasks ask at the same time travel together in few messages.
    """

    def __init__(
        self,
        addresses: str | Sequence[str],
        token: str,
        *,
        call_timeout_seconds: float = 5.0,
        retry_seconds: float = 10.0,
        tls_ca: Path | None = None,
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
        coalesce: bool = True,
    ) -> None:
        targets = (addresses,) if isinstance(addresses, str) else tuple(addresses)
        self._channels = [open_channel(target, tls_ca, tls_cert, tls_key) for target in targets]
        daemons = [stubs_of(*pair) for pair in zip(targets, self._channels, strict=True)]
        self._turns = itertools.cycle(daemons)
        self._authorization: Metadata = (("authorization", f"Bearer {token}"),)
        self._call_timeout_seconds = call_timeout_seconds
        self._retry_seconds = retry_seconds
        self._coalescer = Coalescer(daemons, self._authorization) if coalesce else None
        self._is_closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Cut calls under way; their outcome is unknown."""
        self._is_closed = True
        if self._coalescer is not None:
            await self._coalescer.close()
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
        metadata = (*self._authorization, *metadata, *trace_metadata())
        return await repeated(
            lambda seconds: self._attempt(pick, request, read, seconds, metadata),
            call_timeout_seconds=self._call_timeout_seconds,
            retry_seconds=self._retry_seconds,
        )

    async def send(self, kind: str, request: Any, read: Callable[[Any], Value], reservation_id: str = "") -> Value:
        """One operation of the data plane; `kind` is its field in `ExchangeOperation`. Raises as `call` does.

        Operations on one reservation prefer one daemon, which remembers it; each repeat asks another one.
        """
        if self._coalescer is None or not self._coalescer.can_carry(request):
            return await self.call(_RPCS[kind], request, read)
        ask = self._coalescer.asker(kind, request, read, reservation_id)
        return await repeated(ask, call_timeout_seconds=self._call_timeout_seconds, retry_seconds=self._retry_seconds)

    async def _attempt(
        self,
        pick: Callable[[Stubs], grpc.aio.UnaryUnaryMultiCallable[Request, Response]],
        request: Request,
        read: Callable[[Response], Value],
        seconds: float,
        metadata: Metadata,
    ) -> Value:
        daemon = next(self._turns)
        if self._is_closed:
            raise ClientClosed(daemon.address)
        try:
            return await attempt(daemon, pick, request, read, seconds, metadata)
        except asyncio.CancelledError:
            if not _is_cancelled():
                raise ClientClosed(daemon.address) from None  # gRPC cancels what a closed channel leaves open
            raise


def _is_cancelled() -> bool:
    """Whether somebody wants the present task to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
