"""Reservations as operators see them: listed, and given back by force."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from quotad.administration import Author
from quotad.core.operations import Bound, Expire, ExpireAnswer
from quotad.core.validation import REASON_BYTES_MAX, check_id, check_text
from quotad.errors import InvalidRequest, Overloaded, ReservationNotFound
from quotad.records import Page
from quotad.store import audit_log, statements, statements_records
from quotad.store.audit_log import Action, Change, ResourceKind
from quotad.store.connections import Connection, Connections, StoreSettings
from quotad.store.failures import ConnectionLost, PlanAgain
from quotad.store.locked import Beside, run_locked
from quotad.store.pages import check_page_size, page_token, read_page_token, read_time_text, time_text
from quotad.store.rows import Row, reservation_from
from quotad.values import Reservation, ReservationState

SLICE_ROWS = 10_000
"""Settled reservations that are looked at for one page: it may be short, or empty, and still have a next one."""
PLANS_MAX = 20
FIRST_PLACE = (time_text(datetime.min.replace(tzinfo=UTC)), "")


@dataclass(frozen=True, slots=True)
class ReservationQuery:
    """Which reservations to list."""

    tenant_id: str
    state: ReservationState = ReservationState.RESERVED
    api_key_id: str = ""
    age_min: timedelta = timedelta()
    """Only those that were made this long ago."""


class Reservations:
    """The reservations of all tenants; `Ledger` makes and settles them."""

    def __init__(self, connections: Connections, settings: StoreSettings) -> None:
        self._connections = connections
        self._settings = settings

    async def list(self, query: ReservationQuery, page_size: int, token: str) -> Page[Reservation]:
        """The oldest first: open ones by when they were made, others by when they were settled or their lease ended."""
        check_id("tenant_id", query.tenant_id)
        check_page_size(page_size)
        time, reservation_id = (str(part) for part in read_page_token(token, FIRST_PLACE))
        behind = read_time_text(time), reservation_id
        filters = query.api_key_id, query.age_min
        match query.state:
            case ReservationState.RESERVED:
                statement, order = statements_records.LIST_RESERVED, "create_time"
                arguments: tuple[object, ...] = (*filters, *behind, page_size + 1)
            case ReservationState.EXPIRED:
                statement, order = statements_records.LIST_EXPIRED, "expire_time"
                arguments = (*filters, *behind, page_size + 1, SLICE_ROWS)
            case ReservationState.FINALIZED | ReservationState.RELEASED:
                statement, order = statements_records.LIST_SETTLED, "settle_time"
                arguments = (query.state.value, *filters, *behind, page_size + 1, SLICE_ROWS)
        async with self._connections.acquire() as connection:
            rows = await connection.fetch(statement, query.tenant_id, *arguments)
        return _page(rows, page_size, lambda row: page_token(time_text(row[order]), row["reservation_id"]))

    async def force_release(
        self, tenant_id: str, reservation_id: str, reason: str, author: Author
    ) -> tuple[Reservation, bool]:
        """Move an open reservation to EXPIRED, and note who did and why; whether this call did.

        What it used is charged late. Raises `ReservationNotFound`.
        """
        check_id("tenant_id", tenant_id)
        check_id("reservation_id", reservation_id)
        check_text("reason", reason, REASON_BYTES_MAX)
        if not reason.strip():
            raise InvalidRequest("reason", "say why: the holder may still be at work")

        async def note(connection: Connection) -> None:
            await connection.execute(statements_records.NOTE_FORCED, tenant_id, reservation_id, reason)
            change = Change(Action.FORCE_RELEASE, ResourceKind.RESERVATION, reservation_id, after={"reason": reason})
            await audit_log.note(connection, tenant_id, author, change)

        changed = await self._expire(tenant_id, reservation_id, note)
        async with self._connections.acquire() as connection:
            row = await connection.fetchrow(statements.RESERVATIONS, tenant_id, [reservation_id])
        if row is None:
            raise ReservationNotFound("this reservation is unknown, or was purged")
        return reservation_from(row), changed

    async def _expire(self, tenant_id: str, reservation_id: str, beside: Beside) -> bool:
        operations = [Bound(Expire(reservation_id, forced=True))]
        for _ in range(PLANS_MAX):
            try:
                async with self._connections.acquire() as connection:
                    (answer,) = (await run_locked(connection, self._settings, tenant_id, operations, beside)).answers
            except (PlanAgain, ConnectionLost):
                continue
            return isinstance(answer, ExpireAnswer) and answer.expired
        raise Overloaded("the rows of this operation are too busy")


def _page(rows: Sequence[Row], page_size: int, token: Callable[[Row], str]) -> Page[Reservation]:
    """A page of the wanted rows. The end of a full slice, wanted or not, is where the next page may begin."""
    wanted = [row for row in rows if row.get("wanted", True)][:page_size]
    shown = tuple(_shown(row) for row in wanted)
    if len(rows) > page_size:
        return Page(shown, token(rows[page_size - 1]))
    is_slice_full = bool(rows) and rows[-1].get("place") == SLICE_ROWS
    return Page(shown, token(rows[-1]) if is_slice_full else "")


def _shown(row: Row) -> Reservation:
    """One whose lease has lapsed is EXPIRED, whether or not it was swept."""
    found = reservation_from(row)
    is_lapsed = found.state is ReservationState.RESERVED and "place" in row
    return replace(found, state=ReservationState.EXPIRED) if is_lapsed else found
