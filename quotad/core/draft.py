"""The working copy that a plan is made on: several operations of one message see each other's effects."""

from __future__ import annotations

from dataclasses import replace

from quotad.core.settlement import UsedAfter
from quotad.core.state import LedgerState, ReservationWrite, WindowKey, WindowState, WindowWrite, Writes
from quotad.values import Hold, Reservation, ReservationState


class Draft:
    """Reservations and windows as they will stand, beside the state in which they were found."""

    def __init__(self, state: LedgerState) -> None:
        self.state = state
        self._reservations: dict[str, Reservation] = {}
        self._reasons: dict[str, str] = {}
        self._windows: dict[WindowKey, WindowState] = {}

    def reservation(self, reservation_id: str) -> Reservation | None:
        return self._reservations.get(reservation_id) or self.state.reservations.get(reservation_id)

    def window(self, key: WindowKey) -> WindowState:
        return self._windows.get(key) or self.state.windows[key]

    def write(self, reservation: Reservation, reason: str = "") -> None:
        self._reservations[reservation.reservation_id] = reservation
        self._reasons[reservation.reservation_id] = reason

    def admit(self, reservation: Reservation) -> None:
        """Take what the reservation holds."""
        for hold in reservation.holds:
            self._shift(hold, held=hold.held)
        self.write(reservation)

    def settle(self, found: Reservation, after: Reservation, reason: str = "") -> None:
        """Give back what is still held, and charge what `after` was charged."""
        still_held = found.state is ReservationState.RESERVED
        for hold in after.holds:
            self._shift(hold, held=-hold.held if still_held else 0, used=hold.charged)
        self.write(after, reason)

    def expire(self, found: Reservation) -> Reservation:
        """Give back what is held by a reservation whose lease has lapsed."""
        for hold in found.holds:
            self._shift(hold, held=-hold.held)
        expired = replace(found, state=ReservationState.EXPIRED)
        self.write(expired)
        return expired

    def over_by(self) -> UsedAfter:
        """How far a charge takes a hold's window past its maximum; never more than the charge itself."""

        def judged(hold: Hold, charge: int) -> int:
            window = self.window(WindowKey(hold.limit_id, hold.window_start))
            return min(charge, max(0, window.used + charge - window.max_value))

        return judged

    def writes(self) -> Writes:
        reservations = tuple(
            ReservationWrite(after, self._found_state(reservation_id), self._reasons[reservation_id])
            for reservation_id, after in sorted(self._reservations.items())
        )
        windows = tuple(
            WindowWrite(key, after.held - found.held, after.used - found.used, found.held, found.used)
            for key, after in sorted(self._windows.items())
            if (found := self.state.windows[key]) != after
        )
        return Writes(reservations, windows)

    def _found_state(self, reservation_id: str) -> ReservationState | None:
        found = self.state.reservations.get(reservation_id)
        return found.state if found else None

    def _shift(self, hold: Hold, *, held: int = 0, used: int = 0) -> None:
        key = WindowKey(hold.limit_id, hold.window_start)
        window = self.window(key)
        self._windows[key] = replace(window, held=window.held + held, used=window.used + used)
