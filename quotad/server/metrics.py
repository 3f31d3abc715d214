"""What Prometheus sees of a daemon; the words are the ledger's."""

from __future__ import annotations

import collections
import os
from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram, values

from quotad.core.operations import Answer, Operation, SettleAnswer
from quotad.errors import QuotaError
from quotad.store import lanes, refusals, retention
from quotad.values import Limit, ReservationState

OK = "OK"
WORKER_VARIABLE = "QUOTAD_WORKER_NUMBER"
"""Set by the parent of several workers."""

if WORKER_VARIABLE in os.environ:  # before the first metric is made
    # By its place, not by its process: a worker that is started again goes on with the counts of the one before it,
    # and the parent's directory does not grow.
    values.ValueClass = values.MultiProcessValue(lambda: os.environ[WORKER_VARIABLE])  # type: ignore[no-untyped-call]
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)

calls = Counter("quotad_calls", "Calls answered, by RPC and reason; OK where there was none.", ["rpc", "reason"])
call_seconds = Histogram("quotad_call_seconds", "Time from request to answer.", ["rpc", "reason"], buckets=SECONDS)
operations = Counter(
    "quotad_operations",
    "Operations of the ledger by kind and reason, whether they came by a call, a batch or an Exchange.",
    ["operation", "reason"],
)
holds_expired = Counter("quotad_holds_expired", "Reservations that the sweeper moved to EXPIRED.")
late_settlements = Counter("quotad_late_settlements", "Usage charged after its reservation's lease had lapsed.")
unreserved_settlements = Counter("quotad_unreserved_settlements", "Usage charged without having been admitted.")
finalized_after_release = Counter(
    "quotad_finalized_after_release", "Usage that was not charged because its reservation had been released."
)
batch_operations = Histogram("quotad_batch_operations", "Operations of one transaction.", buckets=BATCH_SIZES)
operations_waiting = Gauge(
    "quotad_operations_waiting", "Operations that wait for a transaction.", multiprocess_mode="livesum"
)
optimistic_misses = Counter(
    "quotad_optimistic_misses",
    "Batches that were planned on remembered rows and had to be planned again on locked ones.",
)
refusals_counted = Counter(
    "quotad_refusals",
    "Times that a limit refused, or would have refused where it is a shadow limit.",
    ["metric", "window", "enforcement"],
)
refusals_dropped = Counter(
    "quotad_refusals_dropped", "Refusals that were not counted by key, limit and minute: too many waited to be written."
)
reservations_rolled_up = Counter("quotad_reservations_rolled_up", "Settled reservations added to the usage totals.")
reservations_purged = Counter("quotad_reservations_purged", "Reservations deleted after their horizon.")
roll_up_lag_seconds = Gauge(
    "quotad_roll_up_lag_seconds",
    "Age of the oldest settlement that is not in the usage totals; usually below a minute.",
    multiprocess_mode="livemax",
)
purge_lag_seconds = Gauge(
    "quotad_purge_lag_seconds",
    "For how long the oldest settled reservation has been due.",
    multiprocess_mode="livemax",
)
conservation_violations = Gauge(
    "quotad_conservation_violations",
    "Windows that did not add up in the last check; any is a defect.",
    multiprocess_mode="livemax",
)
audits = Counter("quotad_audits", "Checks of the whole ledger that came to an end.")


def note_refused(limit: Limit, refused: int) -> None:
    refusals_counted.labels(limit.metric, str(limit.window), limit.enforcement.value).inc(refused)


def note_lags(lags: retention.Lags) -> None:
    roll_up_lag_seconds.set(lags.roll_up)
    purge_lag_seconds.set(lags.purge)


def note_audit(differences: int) -> None:
    audits.inc()
    conservation_violations.set(differences)


def note_batch(operations: int, waiting: int) -> None:
    batch_operations.observe(operations)
    operations_waiting.set(waiting)


LEDGER = lanes.Watch(batch=note_batch, missed=optimistic_misses.inc)
REFUSALS = refusals.Watch(refused=note_refused, dropped=refusals_dropped.inc)
RETENTION = retention.Watch(rolled_up=reservations_rolled_up.inc, purged=reservations_purged.inc, lags=note_lags)


def note_call(rpc: str, reason: str, seconds: float) -> None:
    calls.labels(rpc, reason).inc()
    call_seconds.labels(rpc, reason).observe(seconds)


def note_stream(rpc: str, reason: str) -> None:
    calls.labels(rpc, reason).inc()


def note_operations(performed: Iterable[tuple[Operation, Answer | Exception]]) -> None:
    """Many at a time: counting them first is cheaper than a counter's lock for each."""
    outcomes = collections.Counter((type(operation).__name__, _reason(answer)) for operation, answer in performed)
    for (operation, reason), count in outcomes.items():
        operations.labels(operation.lower(), reason).inc(count)


def note_finalized(answer: SettleAnswer) -> None:
    if answer.changed and answer.reservation.late:
        late_settlements.inc()
    if answer.changed and answer.reservation.unreserved:
        unreserved_settlements.inc()
    if answer.reservation.state is ReservationState.RELEASED:
        finalized_after_release.inc()


def _reason(answer: Answer | Exception) -> str:
    if isinstance(answer, QuotaError):
        return answer.reason
    return "INTERNAL" if isinstance(answer, Exception) else OK
