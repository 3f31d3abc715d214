"""Reservations: who holds what, and giving a hold back by force."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel
from starlette.responses import StreamingResponse

from dashboard.api.schema import Answer, FilterText, Input, Moment
from dashboard.auth.step_up import SteppedUp
from dashboard.export import FILES, PAGE_ROWS, Export, Format, Page, Turn, export
from dashboard.key_names import KeyNames
from dashboard.services import Admin, ServicesNeeded
from quotad.client.admin import AdminClient
from quotad.client.types import Basis, ReservationState
from quotad.client.types import Hold as HoldValue
from quotad.client.types import Reservation as ReservationValue

router = APIRouter(prefix="/api/reservations", tags=["reservations"])

PAGE_SIZE_MAX = 200
AGE_SECONDS_MAX = 10 * 366 * 86_400

ReservationId = Annotated[FilterText, Path(alias="reservationId")]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=256)]


class ReservationFilters(BaseModel):
    """Which reservations are meant."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True)

    state: ReservationState = Field(default=ReservationState.RESERVED, description="Open ones unless said otherwise.")
    api_key_id: FilterText = Field(default="", description="Only those of this key.")
    age_min_seconds: float = Field(
        default=0, ge=0, le=AGE_SECONDS_MAX, description="Only those that were made this long ago."
    )


class ReservationQuery(ReservationFilters):
    """Which page of them is asked for."""

    page_size: int = Field(default=50, ge=1, le=PAGE_SIZE_MAX)
    page_token: FilterText = ""


class Hold(Answer):
    """What a reservation takes from one limit's window."""

    limit_id: str
    metric: str
    window_start: Moment
    reset_time: Moment | None
    held: int
    charged: int
    over_by: int
    """By how much the charge took the window past the limit's maximum."""


class Reservation(Answer):
    """One request's holds. Amounts are by metric."""

    reservation_id: str
    api_key_id: str
    api_key_name: str | None
    """Null where the key is unknown by now."""
    model: str
    state: ReservationState
    age_seconds: float
    """Since it was made, by the ledger's clock."""
    create_time: Moment
    expire_time: Moment
    """When its lease ends unless it is renewed."""
    settle_time: Moment | None
    requested: dict[str, int]
    reserved: dict[str, int]
    """What was granted."""
    actual: dict[str, int]
    """What was charged; empty until it is finalized."""
    holds: list[Hold]
    basis: Basis | None
    late: bool
    """Charged after its lease had ended."""
    unreserved: bool
    """Charged without having been admitted."""
    labels: dict[str, str]
    forced_reason: str
    """Why an operator gave its hold back; empty where none did."""


class Reservations(Answer):
    """Some reservations, oldest first. A page may be short and still have a next one."""

    reservations: list[Reservation]
    next_page_token: str
    """Empty on the last page."""
    server_time: Moment
    """The ledger's clock, by which leases end."""


class ForcedRelease(Input):
    """That the operator means it, and why."""

    reason: Reason = Field(description="For the audit log.")
    confirmed: Literal[True] = Field(description="True: the operator knows that the request may still be running.")


class ReleasedReservation(Answer):
    """The reservation as it stands, and whether this call gave its hold back."""

    reservation: Reservation
    changed: bool
    """False where it was settled, or its lease had ended, before."""


@router.get("")
async def list_reservations(query: Annotated[ReservationQuery, Query()], admin: Admin) -> Reservations:
    """List the reservations in one state, open ones unless said otherwise."""
    return await _read(admin, KeyNames(admin), query, query.page_size, query.page_token)


@router.get("/export", response_class=StreamingResponse, responses=FILES, dependencies=[Turn])
async def export_reservations(
    query: Annotated[ReservationFilters, Query()], form: Format, admin: Admin, services: ServicesNeeded
) -> Export:
    """The whole table as a file."""
    names = KeyNames(admin)

    async def read_page(token: str) -> Page[Reservation]:
        page = await _read(admin, names, query, PAGE_ROWS, token)
        return page.reservations, page.next_page_token

    return await export(read_page, Reservation, form, "reservations", services.settings.export_seconds_max)


@router.post("/{reservationId}/force-release")
async def force_release(
    reservation_id: ReservationId, body: ForcedRelease, admin: Admin, _proven: SteppedUp
) -> ReleasedReservation:
    """Give an open hold back; what its request used and reports later is still charged. Kept in quotad's audit log."""
    forced = await admin.force_release(reservation_id, reason=body.reason)
    reservation = forced.reservation
    names = KeyNames(admin)
    await names.load([reservation.api_key_id])
    ended = reservation.settle_time or reservation.expire_time
    return ReleasedReservation(reservation=reservation_answer(reservation, names, ended), changed=forced.changed)


async def _read(
    admin: AdminClient, names: KeyNames, filters: ReservationFilters, page_size: int, page_token: str
) -> Reservations:
    page = await admin.list_reservations(
        state=filters.state,
        api_key_id=filters.api_key_id,
        age_min_seconds=filters.age_min_seconds,
        page_size=page_size,
        page_token=page_token,
    )
    await names.load(reservation.api_key_id for reservation in page.reservations)
    return Reservations(
        reservations=[reservation_answer(item, names, page.server_time) for item in page.reservations],
        next_page_token=page.next_page_token,
        server_time=page.server_time,
    )


def reservation_answer(reservation: ReservationValue, names: KeyNames, now: datetime) -> Reservation:
    return Reservation(
        reservation_id=reservation.reservation_id,
        api_key_id=reservation.api_key_id,
        api_key_name=names.of(reservation.api_key_id),
        model=reservation.model,
        state=reservation.state,
        age_seconds=max(0.0, (now - reservation.create_time).total_seconds()),
        create_time=reservation.create_time,
        expire_time=reservation.expire_time,
        settle_time=reservation.settle_time,
        requested=dict(reservation.requested),
        reserved=dict(reservation.reserved),
        actual=dict(reservation.actual),
        holds=[hold_answer(hold) for hold in reservation.holds],
        basis=reservation.basis,
        late=reservation.late,
        unreserved=reservation.unreserved,
        labels=dict(reservation.labels),
        forced_reason=reservation.forced_reason,
    )


def hold_answer(hold: HoldValue) -> Hold:
    return Hold.model_validate(hold)
