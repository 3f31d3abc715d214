"""The control plane's reads: limits, reservations, usage, refusals, conservation."""

from __future__ import annotations

from datetime import datetime, timedelta

from protos.quota.v1 import quota_pb2 as pb
from quotad.client.channel import Metadata, building
from quotad.client.connection import Connection
from quotad.client.types import ForcedRelease, ReservationPage
from quotad.records import Difference, LimitOrder, Page, RefusalCount, UsageTotal
from quotad.values import DEFAULT_TENANT, Enforcement, LimitStatus, ReservationState
from quotad.wire.limits import read_statuses
from quotad.wire.records import LIMIT_ORDERS, read_difference, read_refusal, read_usage
from quotad.wire.reservations import read_reservation
from quotad.wire.scalars import ENFORCEMENTS, RESERVATION_STATES, duration, read_time, required, timestamp

PAGE_SIZE = 100


class RecordAdmin:
    """A part of `AdminClient`."""

    _connection: Connection
    _metadata: Metadata

    async def list_limits(
        self,
        tenant_id: str = DEFAULT_TENANT,
        *,
        order: LimitOrder = LimitOrder.UTILISATION,
        api_key_id: str = "",
        page_size: int = PAGE_SIZE,
        page_token: str = "",
    ) -> Page[LimitStatus]:
        """A page of the limits of a tenant, or of one key, the fullest or the next to reset first."""
        with building():
            request = pb.ListLimitsRequest(
                tenant_id=tenant_id,
                page_size=page_size,
                page_token=page_token,
                order=LIMIT_ORDERS.number(order),
                api_key_id=api_key_id,
            )
        return await self._connection.call(
            lambda stubs: stubs.admin.ListLimits,
            request,
            lambda response: Page(read_statuses(response.limits), response.next_page_token),
            metadata=self._metadata,
        )

    async def list_reservations(
        self,
        tenant_id: str = DEFAULT_TENANT,
        *,
        state: ReservationState = ReservationState.RESERVED,
        api_key_id: str = "",
        age_min_seconds: float = 0.0,
        page_size: int = PAGE_SIZE,
        page_token: str = "",
    ) -> ReservationPage:
        """A page of the reservations in one state, oldest first; it may be short and still have a next one."""
        with building():
            request = pb.ListReservationsRequest(
                tenant_id=tenant_id,
                page_size=page_size,
                page_token=page_token,
                state=RESERVATION_STATES.number(state),
                api_key_id=api_key_id,
                age_min=duration(timedelta(seconds=age_min_seconds)),
            )
        return await self._connection.call(
            lambda stubs: stubs.admin.ListReservations, request, _read_reservations, metadata=self._metadata
        )

    async def force_release(
        self, reservation_id: str, *, reason: str, tenant_id: str = DEFAULT_TENANT
    ) -> ForcedRelease:
        """Give an open reservation's hold back; what its request used and reports later is charged late."""
        with building():
            request = pb.ForceReleaseRequest(tenant_id=tenant_id, reservation_id=reservation_id, reason=reason)
        return await self._connection.call(
            lambda stubs: stubs.admin.ForceRelease,
            request,
            lambda response: ForcedRelease(read_reservation(response.reservation, "reservation"), response.changed),
            metadata=self._metadata,
        )

    async def get_usage(
        self,
        tenant_id: str = DEFAULT_TENANT,
        *,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        api_key_id: str = "",
        model: str = "",
        metric: str = "",
        page_size: int = PAGE_SIZE,
        page_token: str = "",
    ) -> Page[UsageTotal]:
        """A page of hourly totals, earliest first, of the last 24 hours unless times are given."""
        with building():
            request = pb.GetUsageRequest(
                tenant_id=tenant_id,
                page_size=page_size,
                page_token=page_token,
                start_time=timestamp(start_time),
                end_time=timestamp(end_time),
                api_key_id=api_key_id,
                model=model,
                metric=metric,
            )
        return await self._connection.call(
            lambda stubs: stubs.admin.GetUsage, request, _read_usage, metadata=self._metadata
        )

    async def list_refusals(
        self,
        tenant_id: str = DEFAULT_TENANT,
        *,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        api_key_id: str = "",
        limit_id: str = "",
        enforcement: Enforcement | None = None,
        page_size: int = PAGE_SIZE,
        page_token: str = "",
    ) -> Page[RefusalCount]:
        """A page of refusals by key, limit and minute, latest first, of the last 24 hours unless times are given."""
        with building():
            request = pb.ListRefusalsRequest(
                tenant_id=tenant_id,
                page_size=page_size,
                page_token=page_token,
                start_time=timestamp(start_time),
                end_time=timestamp(end_time),
                api_key_id=api_key_id,
                limit_id=limit_id,
                enforcement=ENFORCEMENTS.number(enforcement),
            )
        return await self._connection.call(
            lambda stubs: stubs.admin.ListRefusals, request, _read_refusals, metadata=self._metadata
        )

    async def audit(self, tenant_id: str = "") -> tuple[Difference, ...]:
        """The windows, of one tenant or of all, that do not add up; none in a sound ledger."""
        with building():
            request = pb.AuditRequest(tenant_id=tenant_id)
        return await self._connection.call(
            lambda stubs: stubs.admin.Audit, request, _read_differences, metadata=self._metadata
        )


def _read_reservations(response: pb.ListReservationsResponse) -> ReservationPage:
    found = tuple(read_reservation(item, f"reservations[{n}]") for n, item in enumerate(response.reservations))
    server_time = required(read_time(response, "server_time"), "", "server_time")
    return ReservationPage(found, response.next_page_token, server_time)


def _read_usage(response: pb.GetUsageResponse) -> Page[UsageTotal]:
    totals = tuple(read_usage(item, f"totals[{n}]") for n, item in enumerate(response.totals))
    return Page(totals, response.next_page_token)


def _read_refusals(response: pb.ListRefusalsResponse) -> Page[RefusalCount]:
    refusals = tuple(read_refusal(item, f"refusals[{n}]") for n, item in enumerate(response.refusals))
    return Page(refusals, response.next_page_token)


def _read_differences(response: pb.AuditResponse) -> tuple[Difference, ...]:
    return tuple(read_difference(item, f"differences[{n}]") for n, item in enumerate(response.differences))
