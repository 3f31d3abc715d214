"""The data plane: one ledger operation for each RPC. Errors are raised; `interceptors` tells them."""

from __future__ import annotations

from typing import Any

import grpc.aio
import structlog

from protos.quota.v1 import quota_pb2 as pb
from protos.quota.v1 import quota_pb2_grpc as rpc
from quotad.core.operations import Finalize, SettleAnswer
from quotad.server import metrics
from quotad.server.translation import (
    finalize_operation,
    finalize_response,
    release_operation,
    release_response,
    renew_operation,
    renew_response,
    reserve_operation,
    reserve_response,
)
from quotad.store.ledger import Ledger
from quotad.values import ReservationState
from quotad.wire.keys import description_message
from quotad.wire.reservations import read_scope, read_subject, reservation_message

Context = grpc.aio.ServicerContext[Any, Any]

log = structlog.get_logger(__name__)


class QuotaServicer(rpc.QuotaServiceServicer):
    """`quota.v1.QuotaService` on one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def Reserve(self, request: pb.ReserveRequest, context: Context) -> pb.ReserveResponse:
        return reserve_response(await self._ledger.reserve(reserve_operation(request)))

    async def Renew(self, request: pb.RenewRequest, context: Context) -> pb.RenewResponse:
        return renew_response(await self._ledger.renew(renew_operation(request)))

    async def Finalize(self, request: pb.FinalizeRequest, context: Context) -> pb.FinalizeResponse:
        operation = finalize_operation(request)
        answer = await self._ledger.finalize(operation)
        metrics.note_finalized(answer)
        _log_uncharged(operation, answer)
        return finalize_response(answer)

    async def Release(self, request: pb.ReleaseRequest, context: Context) -> pb.ReleaseResponse:
        return release_response(await self._ledger.release(release_operation(request)))

    async def GetReservation(self, request: pb.GetReservationRequest, context: Context) -> pb.GetReservationResponse:
        reservation = await self._ledger.get_reservation(read_scope(request.scope), request.reservation_id)
        return pb.GetReservationResponse(reservation=reservation_message(reservation))

    async def DescribeKey(self, request: pb.DescribeKeyRequest, context: Context) -> pb.DescribeKeyResponse:
        return description_message(pb.DescribeKeyResponse, await self._ledger.describe_key(read_subject(request)))


def _log_uncharged(operation: Finalize, answer: SettleAnswer) -> None:
    if answer.reservation.state is ReservationState.RELEASED:
        log.warning(
            "usage not charged: released before",
            tenant_id=answer.reservation.tenant_id,
            reservation_id=operation.reservation_id,
            amounts=dict(operation.amounts),
        )
