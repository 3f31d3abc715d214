"""Callers of both kinds, `quotad.client` and plain stubs, that note what they asked and were told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

import grpc

from protos.quota.v1 import quota_pb2 as pb
from protos.quota.v1 import quota_pb2_grpc as rpc
from quotad.client.quota_client import QuotaClient
from quotad.client.types import OutcomeUnknown
from quotad.errors import QuotaError, Unavailable
from quotad.values import Scope
from quotad.wire.errors import STATUS_METADATA, read_error, read_status_bytes
from quotad.wire.reservations import read_reservation
from quotad.wire.scalars import duration
from tests.faults.history import UNKNOWN, Ask, Call, History, Kind, Told
from tests.support.daemons import DATA_TOKEN
from tests.support.waiting import eventually

CALL_SECONDS = 1.0
RETRY_SECONDS = 1.5
RESOLVE_SECONDS = 60.0
RESOLVERS = 16
MODEL = "m"

Send = Callable[[Ask], Awaitable[Told]]


class Callers:
    """Sends each call by one of its ways, and notes it."""

    def __init__(self, ways: Sequence[Send], chance: Random) -> None:
        self.history = History()
        self._ways = ways
        self._chance = chance

    async def call(self, ask: Ask) -> Told:
        began = time.time()
        told = await self._chance.choice(self._ways)(ask)
        self.history.calls.append(Call(ask, told, began, time.time()))
        return told

    async def resolve(self) -> int:
        """Ask everything again that has no definite answer, until it has one; how much that was."""
        unresolved = self.history.unresolved()
        await asyncio.gather(*(self._resolve(unresolved[part::RESOLVERS]) for part in range(RESOLVERS)))
        return len(unresolved)

    async def _resolve(self, asks: Sequence[Ask]) -> None:
        for ask in asks:
            await eventually(partial(self._is_definite, ask), RESOLVE_SECONDS)

    async def _is_definite(self, ask: Ask) -> bool:
        return (await self.call(ask)).reason != UNKNOWN


@asynccontextmanager
async def callers(addresses: Sequence[str], chance: Random) -> AsyncIterator[Callers]:
    """For each address a client of ours and a plain stub, and one client for all of them."""
    async with AsyncExitStack() as ending:
        ways: list[Send] = []
        for targets in (*addresses, tuple(addresses)):
            client = QuotaClient(targets, DATA_TOKEN, call_timeout_seconds=CALL_SECONDS, retry_seconds=RETRY_SECONDS)
            ways.append(_by_client(await ending.enter_async_context(client)))
        for address in addresses:
            channel = await ending.enter_async_context(grpc.aio.insecure_channel(address))
            ways.append(_by_stub(rpc.QuotaServiceStub(channel)))
        yield Callers(ways, chance)


def _by_client(client: QuotaClient) -> Send:
    async def send(ask: Ask) -> Told:
        try:
            return await _ask_client(client, ask)
        except (OutcomeUnknown, Unavailable):
            return Told(UNKNOWN)
        except QuotaError as error:
            return _refused(error)

    return send


async def _ask_client(client: QuotaClient, ask: Ask) -> Told:
    scope, amounts = Scope(api_key_id=ask.api_key_id), dict(ask.amounts)
    match ask.kind:
        case Kind.RESERVE:
            grant = await client.reserve(
                ask.reservation_id,
                api_key_id=ask.api_key_id,
                model=MODEL,
                amounts=amounts,
                lease_seconds=ask.lease_seconds,
            )
            return Told(reservation=grant.reservation, replayed=grant.replayed)
        case Kind.FINALIZE:
            settlement = await client.finalize(
                ask.reservation_id,
                amounts=amounts,
                scope=scope,
                allow_unreserved=ask.allow_unreserved,
                model=MODEL if ask.allow_unreserved else "",
            )
        case Kind.RELEASE:
            settlement = await client.release(ask.reservation_id, scope=scope)
        case Kind.RENEW:
            (renewal,) = await client.renew([ask.reservation_id], lease_seconds=ask.lease_seconds, scope=scope)
            return Told(renewal.error.reason if renewal.error else "")
    return Told(reservation=settlement.reservation, replayed=settlement.replayed, changed=settlement.changed)


def _by_stub(stub: rpc.QuotaServiceAsyncStub) -> Send:
    async def send(ask: Ask) -> Told:
        try:
            return await _ask_stub(stub, ask)
        except grpc.aio.AioRpcError as error:
            return _failed(error)

    return send


async def _ask_stub(stub: rpc.QuotaServiceAsyncStub, ask: Ask) -> Told:
    options: dict[str, Any] = {
        "timeout": CALL_SECONDS,
        "metadata": (("authorization", f"Bearer {DATA_TOKEN}"),),
    }
    scope, amounts = pb.Scope(api_key_id=ask.api_key_id), dict(ask.amounts)
    lease = None if ask.lease_seconds is None else duration(timedelta(seconds=ask.lease_seconds))
    match ask.kind:
        case Kind.RESERVE:
            reserve = pb.ReserveRequest(
                reservation_id=ask.reservation_id, api_key_id=ask.api_key_id, model=MODEL, amounts=amounts, lease=lease
            )
            granted = await stub.Reserve(reserve, **options)
            return Told(reservation=read_reservation(granted.reservation), replayed=granted.replayed)
        case Kind.FINALIZE:
            finalize = pb.FinalizeRequest(scope=scope, reservation_id=ask.reservation_id, amounts=amounts)
            if ask.allow_unreserved:
                finalize.allow_unreserved, finalize.model = True, MODEL
                finalize.age.SetInParent()
            charged = await stub.Finalize(finalize, **options)
            reservation = read_reservation(charged.reservation)
            return Told(reservation=reservation, replayed=charged.replayed, changed=charged.changed)
        case Kind.RELEASE:
            request = pb.ReleaseRequest(scope=scope, reservation_id=ask.reservation_id)
            released = await stub.Release(request, **options)
            return Told(reservation=read_reservation(released.reservation), changed=released.changed)
        case Kind.RENEW:
            renew = pb.RenewRequest(scope=scope, reservation_ids=[ask.reservation_id], lease=lease)
            (result,) = (await stub.Renew(renew, **options)).results
            error = read_error(result.error) if result.HasField("error") else None
            return Told(error.reason if error else "")


def _failed(error: grpc.aio.AioRpcError) -> Told:
    for name, value in error.trailing_metadata() or ():
        if name == STATUS_METADATA and isinstance(value, bytes):
            known = read_status_bytes(value)
            if known is not None and not isinstance(known, Unavailable):
                return _refused(known)
    return Told(UNKNOWN)


def _refused(error: QuotaError) -> Told:
    return Told(error.reason, error.message, getattr(error, "reservation", None))
