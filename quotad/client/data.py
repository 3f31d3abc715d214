"""Reserve, Renew and the reads: everything on the data plane that does not settle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from protos.quota.v1 import quota_pb2 as pb
from quotad.client.channel import building
from quotad.client.connection import Connection
from quotad.client.types import Checked, Grant, Renewal
from quotad.values import Amounts, KeyDescription, LimitsView, Reservation, ReservationView, Scope
from quotad.wire.errors import read_error
from quotad.wire.keys import read_description
from quotad.wire.limits import read_statuses
from quotad.wire.reservations import read_reservation, scope_message
from quotad.wire.scalars import (
    LIMITS_VIEWS,
    RESERVATION_STATES,
    RESERVATION_VIEWS,
    Malformed,
    duration,
    plain,
    read_time,
    required,
)


class DataClient:
    """Every method raises a `QuotaError`, or `OutcomeUnknown`, and may be repeated with the same arguments."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def reserve(
        self,
        reservation_id: str,
        *,
        api_key: str | None = None,
        api_key_id: str | None = None,
        model: str,
        amounts: Amounts,
        min_amounts: Amounts | None = None,
        lease_seconds: float | None = None,
        labels: Mapping[str, str] | None = None,
        limits_view: LimitsView = LimitsView.ALL,
        reservation_view: ReservationView = ReservationView.FULL,
    ) -> Grant:
        """Hold room for one request, named by its key's secret or id. A grant always means: you hold it now.

        A brief view leaves `requested`, `labels` and `holds` empty, and `reserved` too where all of it was granted.

        After `OutcomeUnknown` or `Unavailable`, a caller that will not serve the request releases the same id.
        """
        with building():
            request = pb.ReserveRequest(
                reservation_id=reservation_id,
                model=model,
                amounts=amounts,
                min_amounts=min_amounts,
                lease=_lease(lease_seconds),
                labels=labels,
                limits_view=LIMITS_VIEWS.number(limits_view),
                reservation_view=RESERVATION_VIEWS.number(reservation_view),
            )
            _name_key(request, api_key, api_key_id)
        return await self._connection.send("reserve", request, _read_grant, reservation_id)

    async def renew(
        self, reservation_ids: Sequence[str], *, lease_seconds: float | None, scope: Scope = Scope()
    ) -> tuple[Renewal, ...]:
        """Make leases longer; one result per id, in order. Only a call as a whole raises."""
        with building():
            request = pb.RenewRequest(
                scope=scope_message(scope), reservation_ids=reservation_ids, lease=_lease(lease_seconds)
            )
        return await self._connection.send("renew", request, _read_renewals, next(iter(reservation_ids), ""))

    async def get_reservation(self, reservation_id: str, *, scope: Scope = Scope()) -> Reservation:
        with building():
            request = pb.GetReservationRequest(scope=scope_message(scope), reservation_id=reservation_id)
        return await self._connection.send("get_reservation", request, _read_found, reservation_id)

    async def check(
        self,
        *,
        api_key: str | None = None,
        api_key_id: str | None = None,
        model: str,
        amounts: Amounts,
        min_amounts: Amounts | None = None,
        limits_view: LimitsView = LimitsView.ALL,
    ) -> Checked:
        """What a Reserve would be granted at this moment; raises what it would be refused with. Holds nothing."""
        with building():
            request = pb.CheckRequest(
                model=model,
                amounts=amounts,
                min_amounts=min_amounts,
                limits_view=LIMITS_VIEWS.number(limits_view),
            )
            _name_key(request, api_key, api_key_id)
        return await self._connection.send("check", request, _read_checked, "")

    async def describe_key(self, *, api_key: str | None = None, api_key_id: str | None = None) -> KeyDescription:
        """A key's public data and the state of all its limits."""
        with building():
            request = pb.DescribeKeyRequest()
            _name_key(request, api_key, api_key_id)
        return await self._connection.send("describe_key", request, read_description, "")


def _name_key(
    request: pb.ReserveRequest | pb.CheckRequest | pb.DescribeKeyRequest, api_key: str | None, api_key_id: str | None
) -> None:
    if api_key is not None:
        request.api_key = api_key
    if api_key_id is not None:
        request.api_key_id = api_key_id


def _lease(seconds: float | None) -> Duration | None:
    return None if seconds is None else duration(timedelta(seconds=seconds))


def _read_grant(response: pb.ReserveResponse) -> Grant:
    return Grant(
        reservation=read_reservation(response.reservation, "reservation"),
        replayed=response.replayed,
        limits=read_statuses(response.limits),
        server_time=required(read_time(response, "server_time"), "", "server_time"),
    )


def _read_found(response: pb.GetReservationResponse) -> Reservation:
    return read_reservation(response.reservation, "reservation")


def _read_checked(response: pb.CheckResponse) -> Checked:
    return Checked(
        reserved=plain(response.reserved),
        limits=read_statuses(response.limits),
        server_time=required(read_time(response, "server_time"), "", "server_time"),
    )


def _read_renewals(response: pb.RenewResponse) -> tuple[Renewal, ...]:
    return tuple(_read_renewal(result, f"results[{n}]") for n, result in enumerate(response.results))


def _read_renewal(result: pb.RenewResult, at: str) -> Renewal:
    error = read_error(result.error) if result.HasField("error") else None
    if error is None and result.HasField("error"):
        raise Malformed(f"{at}.error", "has no reason that this client knows")
    return Renewal(
        reservation_id=result.reservation_id,
        state=RESERVATION_STATES.read(result, "state", at),
        expire_time=read_time(result, "expire_time", at),
        error=error,
    )
