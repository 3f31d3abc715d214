"""Servers beside quotad, with its own interceptors: the baseline, and one that answers nothing.

    python -m benchmarks.ledger.baseline.server baseline|empty ADDRESS CONNECTIONS

Reads the database's URL from BENCH_DATABASE_URL; the service tokens are those that quotad has stored there.
"""

from __future__ import annotations

import argparse
import os
from datetime import timedelta
from typing import Any

import asyncpg
import grpc.aio
import uvloop

from benchmarks.ledger.baseline import DATABASE_VARIABLE, READY
from benchmarks.ledger.baseline.store import BaselineStore
from protos.quota.v1 import quota_pb2 as pb
from protos.quota.v1 import quota_pb2_grpc as rpc
from quotad.errors import (
    ApiKeyUnknown,
    FinalizeMismatch,
    QuotaExceeded,
    ReservationIdReused,
    ReservationNotFound,
    ReservationNotOpen,
)
from quotad.server.daemon import OPTIONS
from quotad.server.interceptors import Authentication, Calls
from quotad.server.tokens import TokenBook
from quotad.store import Store, StoreSettings
from quotad.values import Denial
from servicekit.serving import stop_event

CALL_SECONDS_MAX = 30.0
STOP_SECONDS = 5.0
DEFAULT_LEASE = timedelta(seconds=120)
STATES = {
    "reserved": pb.RESERVATION_STATE_RESERVED,
    "finalized": pb.RESERVATION_STATE_FINALIZED,
    "expired": pb.RESERVATION_STATE_EXPIRED,
}

Context = grpc.aio.ServicerContext[Any, Any]


class BaselineServicer(rpc.QuotaServiceServicer):
    """Reserve, Renew and Finalize, each one call of one SQL function."""

    def __init__(self, store: BaselineStore) -> None:
        self._store = store

    async def Reserve(self, request: pb.ReserveRequest, context: Context) -> pb.ReserveResponse:
        amounts = {"requests": 1, **request.amounts}
        lease = request.lease.ToTimedelta() if request.HasField("lease") else DEFAULT_LEASE
        row = await self._store.reserve(request.api_key_id, request.reservation_id, request.model, amounts, lease)
        if row is None:
            raise QuotaExceeded("the request does not fit now", Denial((), None))
        match row["outcome"]:
            case "key unknown":
                raise ApiKeyUnknown("this API key is unknown")
            case "reused":
                raise ReservationIdReused("this reservation id stands for another request")
            case "not open":
                raise ReservationNotOpen("this reservation has been settled, or its lease has lapsed")
        return pb.ReserveResponse(
            reservation=reservation_message(row["reservation"]), replayed=row["outcome"] == "replayed"
        )

    async def Renew(self, request: pb.RenewRequest, context: Context) -> pb.RenewResponse:
        ids = list(request.reservation_ids)
        rows = await self._store.renew(request.scope.tenant_id, ids, request.lease.ToTimedelta())
        return pb.RenewResponse(
            results=[pb.RenewResult(reservation_id=row["reservation_id"], state=STATES[row["state"]]) for row in rows]
        )

    async def Finalize(self, request: pb.FinalizeRequest, context: Context) -> pb.FinalizeResponse:
        row = await self._store.finalize(request.scope.tenant_id, request.reservation_id, dict(request.amounts))
        outcome = "unknown" if row is None else row["outcome"]
        if row is None or outcome == "unknown":
            raise ReservationNotFound("this reservation is unknown")
        if outcome == "mismatch":
            raise FinalizeMismatch("this reservation was finalized with other amounts, which stay")
        return pb.FinalizeResponse(
            reservation=reservation_message(row["reservation"]),
            replayed=outcome == "replayed",
            changed=outcome == "finalized",
        )


class EmptyServicer(rpc.QuotaServiceServicer):
    """Answers at once, with nothing."""

    async def Reserve(self, request: pb.ReserveRequest, context: Context) -> pb.ReserveResponse:
        return pb.ReserveResponse()

    async def Renew(self, request: pb.RenewRequest, context: Context) -> pb.RenewResponse:
        return pb.RenewResponse()

    async def Finalize(self, request: pb.FinalizeRequest, context: Context) -> pb.FinalizeResponse:
        return pb.FinalizeResponse()


def reservation_message(row: asyncpg.Record) -> pb.Reservation:
    message = pb.Reservation(
        reservation_id=row["reservation_id"],
        tenant_id=row["tenant_id"],
        api_key_id=row["api_key_id"],
        model=row["model"],
        state=STATES[row["state"]],
        reserved=dict(zip(row["metrics"], row["holds"], strict=True)),
        late=row["late"],
    )
    message.expire_time.FromDatetime(row["expire_time"])
    for place, (limit_id, metric, start, held) in enumerate(
        zip(row["limit_ids"], row["metrics"], row["window_starts"], row["holds"], strict=True)
    ):
        hold = message.holds.add(limit_id=str(limit_id), metric=metric, held=held)
        hold.charged = row["charges"][place] if row["charges"] else 0
        if start.year > 1:
            hold.window_start.FromDatetime(start)
    return message


async def serve(kind: str, address: str, connections: int) -> None:
    stopped = stop_event()
    database_url = os.environ[DATABASE_VARIABLE]
    tokens = await _tokens(database_url)
    server = grpc.aio.server(interceptors=[Calls(CALL_SECONDS_MAX), Authentication(tokens)], options=OPTIONS)
    store = await BaselineStore.open(database_url, connections if kind == "baseline" else 0)
    rpc.add_QuotaServiceServicer_to_server(_servicer(kind, store), server)
    server.add_insecure_port(address)
    await server.start()
    print(READY, flush=True)
    try:
        await stopped.wait()
    finally:
        await server.stop(STOP_SECONDS)
        await store.close()


def _servicer(kind: str, store: BaselineStore) -> rpc.QuotaServiceServicer:
    """RPCs that a load does not call stay unimplemented."""
    if kind == "baseline":
        return BaselineServicer(store)  # type: ignore[abstract]
    return EmptyServicer()  # type: ignore[abstract]


async def _tokens(database_url: str) -> TokenBook:
    store = await Store.open(StoreSettings(database_url, connections=1))
    try:
        tokens = TokenBook(store.tokens)
        await tokens.read()
    finally:
        await store.close()
    return tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("baseline", "empty"))
    parser.add_argument("address")
    parser.add_argument("connections", type=int)
    given = parser.parse_args()
    uvloop.run(serve(given.kind, given.address, given.connections))


if __name__ == "__main__":
    main()
