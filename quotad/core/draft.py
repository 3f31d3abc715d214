"""The working copy that a plan is made on: several operations of one message see each other's effects."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from quotad.core.admission import Standing
from quotad.core.state import LedgerState, Placed, ReservationWrite, WindowKey, WindowState, WindowWrite, Writes
from quotad.core.transitions import expired
from quotad.values import Enforcement, Hold, Reservation, ReservationState


class WindowMissing(LookupError):
    """A plan needs a window that its state does not hold: see `quotad.core.plan.windows_needed`."""


class WindowDraft:
    """A window as it will stand."""

    __slots__ = ("found", "held", "is_exact", "room", "used")

    def __init__(self, found: WindowState) -> None:
        self.found = found
        self.held = found.held
        self.used = found.used
        self.room = 0
        """The most that an admission took above what was found."""
        self.is_exact = False
        """Something was decided that is right on exactly this row only."""

    def take(self, amount: int, enforcement: Enforcement) -> None:
        self.held += amount
        if enforcement is Enforcement.ENFORCE:
            self.room = max(self.room, self.held + self.used - self.found.held - self.found.used)

    def over_by(self, charge: int) -> int:
        """How far a charge takes the window past its maximum; never more than the charge itself."""
        past = self.used + charge - self.found.max_value
        if past <= 0:
            return 0
        self.is_exact = True
        return min(charge, past)


class Draft:
    """Reservations and windows as they will stand, beside the state in which they were found."""

    def __init__(self, state: LedgerState) -> None:
        self.state = state
        self._reservations: dict[str, Reservation] = {}
        self._reasons: dict[str, str] = {}
        self._windows: dict[WindowKey, WindowDraft] = {}
        self._absent_ids: set[str] = set()
        self._valid_from: datetime | None = None
        self._valid_until: datetime | None = None

    def reservation(self, reservation_id: str) -> Reservation | None:
        return self._reservations.get(reservation_id) or self.state.reservations.get(reservation_id)

    def window(self, key: WindowKey) -> WindowDraft:
        """Raises `WindowMissing` for one that the state does not hold."""
        drafted = self._windows.get(key)
        if drafted is None:
            found = self.state.windows.get(key)
            if found is None:
                raise WindowMissing
            drafted = self._windows[key] = WindowDraft(found)
        return drafted

    def standings(self, rules: Sequence[Placed]) -> list[Standing]:
        """How full the windows of some rules are at this point."""
        found = []
        for placed in rules:
            window = self.window(placed.key)
            found.append(Standing(placed, window.used, window.held))
        return found

    def judged(self, rules: Sequence[Placed], *, is_exact: bool) -> None:
        """A decision rests on these windows, and on their containing the moment of the plan."""
        for placed in rules:
            start, reset_time = placed.key[1], placed.reset_time
            # A lifetime window is the same one at every moment, also before its limit was made.
            if reset_time is not None:
                if self._valid_from is None or start > self._valid_from:
                    self._valid_from = start
                self._bound(reset_time)
            if is_exact:
                self.window(placed.key).is_exact = True

    def is_lapsed(self, found: Reservation) -> bool:
        """Whether the lease is over; where it is not, what follows is right only until it is."""
        if self.state.is_lapsed(found):
            return True
        self._bound(self.state.lapses_at(found))
        return False

    def _bound(self, until: datetime) -> None:
        if self._valid_until is None or until < self._valid_until:
            self._valid_until = until

    def refuse(self, reservation_id: str) -> None:
        """A decision rests on this id's being unknown."""
        self._absent_ids.add(reservation_id)

    def write(self, reservation: Reservation, reason: str = "") -> None:
        self._reservations[reservation.reservation_id] = reservation
        if reason:
            self._reasons[reservation.reservation_id] = reason

    def admit(self, reservation: Reservation, rules: Sequence[Placed]) -> None:
        """Take what the reservation holds."""
        for placed, hold in zip(rules, reservation.holds, strict=True):
            self.window(placed.key).take(hold.held, placed.rule.limit.enforcement)
        self.write(reservation)

    def settle(self, found: Reservation, after: Reservation, reason: str = "") -> None:
        """Give back what is still held, and charge what `after` was charged."""
        still_held = found.state is ReservationState.RESERVED
        for hold in after.holds:
            window = self.window(hold.window)
            window.used += hold.charged
            if still_held:
                window.held -= hold.held
        self.write(after, reason)

    def expire(self, found: Reservation) -> Reservation:
        """Give back what is held by a reservation whose lease has lapsed, or is ended; `expire_time` says when."""
        for hold in found.holds:
            self.window(hold.window).held -= hold.held
        after = expired(found, min(self.state.lapses_at(found), self.state.now))
        self.write(after)
        return after

    def over_by(self, hold: Hold, charge: int) -> int:
        """How far a charge in the place of a hold takes the hold's window past its maximum."""
        return self.window(hold.window).over_by(charge) if charge else 0

    def writes(self) -> Writes:
        found = self.state.reservations
        return Writes(
            tuple(
                [
                    ReservationWrite(after, found.get(reservation_id), self._reasons.get(reservation_id, ""))
                    for reservation_id, after in sorted(self._reservations.items())
                ]
            ),
            *self._window_writes(),
            tuple(sorted(self._absent_ids.difference(self._reservations))),
            self._valid_from,
            self._valid_until,
        )

    def _window_writes(self) -> tuple[tuple[WindowWrite, ...], tuple[tuple[WindowKey, WindowState], ...]]:
        changed, checked = [], []
        for key, after in sorted(self._windows.items()):
            found = after.found
            held_delta, used_delta = after.held - found.held, after.used - found.used
            if held_delta or used_delta:
                changed.append(WindowWrite(key, found, held_delta, used_delta, after.room, after.is_exact))
            elif after.is_exact or after.room:
                checked.append((key, found))
        return tuple(changed), tuple(checked)
