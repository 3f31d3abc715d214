"""The data plane: one operation for a unary RPC, many for a batch. Errors are raised; `interceptors` tells them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc.aio

from protos.quota.v1 import quota_pb2 as pb
from protos.quota.v1 import quota_pb2_grpc as rpc
from quotad.core.operations import ReadAnswer, ReserveAnswer, SettleAnswer
from quotad.server.answering import Answering
from quotad.server.exchange import Exchanges
from quotad.server.items import batch_reserve, batch_settle
from quotad.server.translation import (
    check_operation,
    check_response,
    finalize_operation,
    finalize_response,
    read_operation,
    read_response,
    release_operation,
    release_response,
    renew_operation,
    renew_response,
    reservation_view,
    reserve_operation,
    reserve_response,
)
from quotad.values import LimitsView
from quotad.wire.keys import description_message
from quotad.wire.reservations import read_subject

Context = grpc.aio.ServicerContext[Any, Any]


class QuotaServicer(rpc.QuotaServiceServicer):
    """`quota.v1.QuotaService` on one ledger."""

    def __init__(self, answering: Answering, exchanges: Exchanges) -> None:
        self._answering = answering
        self._exchanges = exchanges

    async def Reserve(self, request: pb.ReserveRequest, context: Context) -> pb.ReserveResponse:
        answer = await self._answering.one(
            reserve_operation(request, LimitsView.ALL), ReserveAnswer, context.time_remaining()
        )
        return reserve_response(answer, reservation_view(request))

    async def Renew(self, request: pb.RenewRequest, context: Context) -> pb.RenewResponse:
        return renew_response(await self._answering.one(renew_operation(request), tuple, context.time_remaining()))

    async def Finalize(self, request: pb.FinalizeRequest, context: Context) -> pb.FinalizeResponse:
        answer = await self._answering.one(finalize_operation(request), SettleAnswer, context.time_remaining())
        return finalize_response(answer, reservation_view(request))

    async def Release(self, request: pb.ReleaseRequest, context: Context) -> pb.ReleaseResponse:
        answer = await self._answering.one(release_operation(request), SettleAnswer, context.time_remaining())
        return release_response(answer, reservation_view(request))

    async def GetReservation(self, request: pb.GetReservationRequest, context: Context) -> pb.GetReservationResponse:
        return read_response(await self._answering.one(read_operation(request), ReadAnswer, context.time_remaining()))

    async def DescribeKey(self, request: pb.DescribeKeyRequest, context: Context) -> pb.DescribeKeyResponse:
        description = await self._answering.describe_key(read_subject(request))
        return description_message(pb.DescribeKeyResponse, description)

    async def Check(self, request: pb.CheckRequest, context: Context) -> pb.CheckResponse:
        return check_response(await self._answering.check(check_operation(request, LimitsView.ALL)))

    async def BatchReserve(self, request: pb.BatchReserveRequest, context: Context) -> pb.BatchReserveResponse:
        return await batch_reserve(self._answering, request, context.time_remaining())

    async def BatchSettle(self, request: pb.BatchSettleRequest, context: Context) -> pb.BatchSettleResponse:
        return await batch_settle(self._answering, request, context.time_remaining())

    async def Exchange(  # type: ignore[override]  # it writes by itself: answers may overtake each other
        self, request_iterator: AsyncIterator[pb.ExchangeRequest], context: Context
    ) -> None:
        await self._exchanges.serve(context)
