"""What Prometheus sees of a daemon; the words are the ledger's."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

from quotad.core.operations import SettleAnswer
from quotad.values import ReservationState

OK = "OK"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)

calls = Counter("quotad_calls", "Calls answered, by RPC and reason; OK where there was none.", ["rpc", "reason"])
call_seconds = Histogram("quotad_call_seconds", "Time from request to answer.", ["rpc", "reason"], buckets=SECONDS)
holds_expired = Counter("quotad_holds_expired", "Reservations that the sweeper moved to EXPIRED.")
late_settlements = Counter("quotad_late_settlements", "Usage charged after its reservation's lease had lapsed.")
unreserved_settlements = Counter("quotad_unreserved_settlements", "Usage charged without having been admitted.")
finalized_after_release = Counter(
    "quotad_finalized_after_release", "Usage that was not charged because its reservation had been released."
)


def note_call(rpc: str, reason: str, seconds: float) -> None:
    calls.labels(rpc, reason).inc()
    call_seconds.labels(rpc, reason).observe(seconds)


def note_stream(rpc: str, reason: str) -> None:
    calls.labels(rpc, reason).inc()


def note_finalized(answer: SettleAnswer) -> None:
    if answer.changed and answer.reservation.late:
        late_settlements.inc()
    if answer.changed and answer.reservation.unreserved:
        unreserved_settlements.inc()
    if answer.reservation.state is ReservationState.RELEASED:
        finalized_after_release.inc()
