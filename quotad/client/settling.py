"""Finalize and Release: what ends a hold.

Who may release: a caller that has *tried* to finalize an id only ever repeats that Finalize. It never releases the
id, because the first Finalize may have been charged or may still arrive.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from protos.quota.v1 import quota_pb2 as pb
from quotad.client.channel import building
from quotad.client.connection import Connection
from quotad.client.types import Settlement
from quotad.values import Amounts, Basis, ReservationView, Scope
from quotad.wire.limits import read_statuses
from quotad.wire.reservations import read_reservation, scope_message
from quotad.wire.scalars import BASES, RESERVATION_VIEWS, duration


class SettlingClient:
    """Every method raises a `QuotaError`, or `OutcomeUnknown`, and may be repeated with the same arguments."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def finalize(
        self,
        reservation_id: str,
        *,
        amounts: Amounts,
        basis: Basis | None = None,
        scope: Scope = Scope(),
        allow_unreserved: bool = False,
        model: str = "",
        age_seconds: float = 0.0,
        labels: Mapping[str, str] | None = None,
        reservation_view: ReservationView = ReservationView.FULL,
    ) -> Settlement:
        """Charge the amounts and give the rest back, exactly once; a metric left out is charged as held.

        `allow_unreserved` charges the scope's key even though the id is unknown, for a request for `model` that
        began `age_seconds` ago.
        """
        with building():
            request = pb.FinalizeRequest(
                scope=scope_message(scope),
                reservation_id=reservation_id,
                amounts=amounts,
                basis=BASES.number(basis),
                allow_unreserved=allow_unreserved,
                model=model,
                age=duration(timedelta(seconds=age_seconds)) if allow_unreserved else None,
                labels=labels,
                reservation_view=RESERVATION_VIEWS.number(reservation_view),
            )
        return await self._connection.send("finalize", request, _read_finalized, reservation_id)

    async def release(
        self,
        reservation_id: str,
        *,
        reason: str = "",
        scope: Scope = Scope(),
        reservation_view: ReservationView = ReservationView.FULL,
    ) -> Settlement:
        """Give the whole hold back; an id that was never seen is fenced against a Reserve that arrives later."""
        with building():
            request = pb.ReleaseRequest(
                scope=scope_message(scope),
                reservation_id=reservation_id,
                reason=reason,
                reservation_view=RESERVATION_VIEWS.number(reservation_view),
            )
        return await self._connection.send("release", request, _read_released, reservation_id)


def _read_finalized(response: pb.FinalizeResponse) -> Settlement:
    return Settlement(
        reservation=read_reservation(response.reservation, "reservation"),
        replayed=response.replayed,
        changed=response.changed,
        limits=read_statuses(response.limits),
    )


def _read_released(response: pb.ReleaseResponse) -> Settlement:
    return Settlement(
        reservation=read_reservation(response.reservation, "reservation"),
        replayed=not response.changed,
        changed=response.changed,
        limits=read_statuses(response.limits),
    )
