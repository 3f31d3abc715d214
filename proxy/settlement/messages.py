"""Settlements as the outbox keeps them, and as they are read again by whichever worker delivers them. Pure.

A scope is written by ids alone: no secret ever reaches the disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from proxy.settlement.decision import Charge, Decision, Return
from quotad.client.types import Amounts, Basis, Scope
from servicekit.journal import Entry

INTENT = "intent"
SETTLEMENT = "settlement"


class Unreadable(ValueError):
    """The content is not what this program, or an earlier one, writes."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class PendingSettlement:
    """A decision on its way. It never changes: a Finalize that was tried is only repeated."""

    reservation_id: str
    scope: Scope
    model: str
    start_time: datetime
    held: Amounts
    decision: Decision
    unreserved: bool = False
    """Served while quotad was away: the charge needs no reservation."""
    decide_time: datetime = field(default_factory=_now)
    """Its delivery ends before the ledger's horizon has passed since then."""


def entry_of(settlement: PendingSettlement) -> Entry:
    """The settlement as an entry of a journal."""
    return _entry(SETTLEMENT, settlement)


def intent_of(settlement: PendingSettlement) -> Entry:
    """An entry for a request that is about to be served without a reservation: its charge if its worker dies."""
    return _entry(INTENT, settlement)


def read_settlement(entry: Entry) -> PendingSettlement:
    """What an entry says; raises `Unreadable`. An intent is the charge of a request whose worker has died."""
    content = entry.content
    try:
        if content["kind"] not in (INTENT, SETTLEMENT):
            raise Unreadable(f"entry {entry.entry_id} is of an unknown kind")
        return PendingSettlement(
            reservation_id=entry.entry_id,
            scope=Scope(**{name: str(value) for name, value in content["scope"].items()}),
            model=str(content["model"]),
            start_time=datetime.fromisoformat(content["start_time"]),
            held=_amounts(content["held"]),
            decision=_decision(content),
            unreserved=bool(content["unreserved"]),
            decide_time=datetime.fromtimestamp(entry.time, UTC),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError) as exc:
        raise Unreadable(f"entry {entry.entry_id} cannot be read: {exc}") from exc


def without_secret(scope: Scope) -> Scope:
    """The scope without a key's secret; where that was all of it, the default tenant is meant."""
    return replace(scope, api_key=None)


def _entry(kind: str, settlement: PendingSettlement) -> Entry:
    scope = without_secret(settlement.scope)
    content: dict[str, Any] = {
        "kind": kind,
        "scope": {
            name: value
            for name, value in (("tenant_id", scope.tenant_id), ("api_key_id", scope.api_key_id))
            if value is not None
        },
        "model": settlement.model,
        "start_time": settlement.start_time.isoformat(),
        "held": dict(settlement.held),
        "unreserved": settlement.unreserved,
        **_decision_fields(settlement.decision),
    }
    return Entry(settlement.reservation_id, settlement.decide_time.timestamp(), content)


def _decision_fields(decision: Decision) -> dict[str, Any]:
    """The decision in words."""
    match decision:
        case Charge(amounts=amounts, basis=basis):
            return {"charge": dict(amounts), "basis": basis.value}
        case Return(reason=reason):
            return {"release": reason}


def _decision(content: Mapping[str, Any]) -> Decision:
    if "release" in content:
        return Return(str(content["release"]))
    return Charge(_amounts(content["charge"]), Basis(content["basis"]))


def _amounts(value: Mapping[str, Any]) -> dict[str, int]:
    return {str(metric): int(amount) for metric, amount in value.items()}
