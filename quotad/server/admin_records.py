"""The part of the control plane that reads the ledger: limits, reservations, usage, refusals, conservation."""

from __future__ import annotations

from datetime import datetime, timedelta

from google.protobuf.message import Message

from protos.quota.v1 import quota_pb2 as pb
from quotad.core.validation import check_text
from quotad.records import LimitOrder
from quotad.server.admin_calls import Context, allowed_tenant, author_of, page_size_of, require_all_tenants
from quotad.store import Store
from quotad.store.refusals import RefusalQuery
from quotad.store.reservations import ReservationQuery
from quotad.store.usage import UsageQuery
from quotad.values import ReservationState
from quotad.wire.limits import status_message
from quotad.wire.records import LIMIT_ORDERS, difference_message, refusal_message, usage_message
from quotad.wire.reservations import reservation_message
from quotad.wire.scalars import ENFORCEMENTS, RESERVATION_STATES, Malformed, read_duration, read_time, timestamp

RANGE = timedelta(days=1)
"""What is listed where a call names no start."""
FILTER_BYTES_MAX = 512
AGE_MAX = timedelta(days=36_500)


class RecordCalls:
    """A part of `AdminServicer`."""

    _store: Store

    async def ListLimits(self, request: pb.ListLimitsRequest, context: Context) -> pb.ListLimitsResponse:
        _check_filters(request, "api_key_id")
        page = await self._store.limits.list(
            allowed_tenant(request.tenant_id),
            LIMIT_ORDERS.read(request, "order") or LimitOrder.UTILISATION,
            page_size_of(request.page_size),
            request.page_token,
            request.api_key_id,
        )
        limits = [status_message(status) for status in page.items]
        return pb.ListLimitsResponse(limits=limits, next_page_token=page.next_page_token)

    async def ListReservations(
        self, request: pb.ListReservationsRequest, context: Context
    ) -> pb.ListReservationsResponse:
        _check_filters(request, "api_key_id")
        query = ReservationQuery(
            allowed_tenant(request.tenant_id),
            RESERVATION_STATES.read(request, "state") or ReservationState.RESERVED,
            request.api_key_id,
            min(read_duration(request, "age_min") or timedelta(), AGE_MAX),
        )
        page = await self._store.reservations.list(query, page_size_of(request.page_size), request.page_token)
        return pb.ListReservationsResponse(
            reservations=[reservation_message(reservation) for reservation in page.items],
            next_page_token=page.next_page_token,
            server_time=timestamp(await self._store.now()),
        )

    async def ForceRelease(self, request: pb.ForceReleaseRequest, context: Context) -> pb.ForceReleaseResponse:
        reservation, changed = await self._store.reservations.force_release(
            allowed_tenant(request.tenant_id), request.reservation_id, request.reason, author_of(context)
        )
        return pb.ForceReleaseResponse(reservation=reservation_message(reservation), changed=changed)

    async def GetUsage(self, request: pb.GetUsageRequest, context: Context) -> pb.GetUsageResponse:
        _check_filters(request, "api_key_id", "model", "metric")
        start, end = await self._range(request)
        query = UsageQuery(
            allowed_tenant(request.tenant_id), start, end, request.api_key_id, request.model, request.metric
        )
        page = await self._store.usage.list(query, page_size_of(request.page_size), request.page_token)
        totals = [usage_message(total) for total in page.items]
        return pb.GetUsageResponse(totals=totals, next_page_token=page.next_page_token)

    async def ListRefusals(self, request: pb.ListRefusalsRequest, context: Context) -> pb.ListRefusalsResponse:
        _check_filters(request, "api_key_id")
        start, end = await self._range(request)
        enforcement = ENFORCEMENTS.read(request, "enforcement")
        query = RefusalQuery(
            allowed_tenant(request.tenant_id), start, end, request.api_key_id, request.limit_id, enforcement
        )
        page = await self._store.refusals.list(query, page_size_of(request.page_size), request.page_token)
        refusals = [refusal_message(count) for count in page.items]
        return pb.ListRefusalsResponse(refusals=refusals, next_page_token=page.next_page_token)

    async def Audit(self, request: pb.AuditRequest, context: Context) -> pb.AuditResponse:
        if not request.tenant_id:
            require_all_tenants()
        found = await self._store.auditor.check(allowed_tenant(request.tenant_id) if request.tenant_id else None)
        return pb.AuditResponse(differences=[difference_message(difference) for difference in found])

    async def _range(self, request: pb.GetUsageRequest | pb.ListRefusalsRequest) -> tuple[datetime, datetime]:
        end = read_time(request, "end_time") or await self._store.now()
        try:
            start = read_time(request, "start_time") or end - RANGE
        except OverflowError as exc:
            raise Malformed("end_time", "is out of range") from exc
        if start > end:
            raise Malformed("start_time", "is after the end")
        return start, end


def _check_filters(request: Message, *names: str) -> None:
    for name in names:
        check_text(name, getattr(request, name), FILTER_BYTES_MAX)
