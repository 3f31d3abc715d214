"""The real thing beside the oracle: stores on one database, their answers in the oracle's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quotad.core.operations import (
    Answer,
    Finalize,
    Operation,
    Read,
    ReadAnswer,
    Release,
    Renew,
    RenewAnswer,
    Reserve,
    ReserveAnswer,
    SettleAnswer,
)
from quotad.errors import (
    InvalidRequest,
    QuotaError,
    Refused,
    ReservationConflict,
    ReservationIdReused,
)
from quotad.store import Store
from quotad.values import (
    Enforcement,
    Limit,
    LimitStatus,
    Reservation,
    Scope,
    Subject,
    Violation,
    Window,
    WindowKind,
)
from tests.quotad.model.oracle import Facts, Rule


class Names:
    """What a limit's id stands for, learnt from the keys as they were edited."""

    def __init__(self) -> None:
        self._rules: dict[str, Rule] = {}

    def learn(self, owner: str, limits: tuple[Limit, ...]) -> None:
        for limit in limits:
            window = limit.window
            self._rules[limit.limit_id] = (owner, limit.metric, str(window), window.time_zone, limit.model_pattern)

    def rule(self, limit_id: str) -> Rule:
        return self._rules[limit_id]


class Daemon:
    """One store: what a daemon is to the ledger, with caches of its own."""

    def __init__(self, store: Store, tenant_id: str, names: Names) -> None:
        self.store = store
        self._scope = Scope(tenant_id=tenant_id)
        self._names = names

    async def ask(self, ops: Sequence[Facts]) -> list[Any]:
        """The answers to operations that were sent together."""
        answers = await self.store.ledger.perform([self._operation(op) for op in ops])
        return [self._told(answer) for answer in answers]

    async def describe(self, key: str) -> list[Facts]:
        description = await self.store.ledger.describe_key(Subject(api_key_id=key))
        return [self._status(status) for status in description.limits]

    def _operation(self, op: Facts) -> Operation:
        match op["call"]:
            case "reserve":
                subject = Subject(api_key_id=op["key"])
                return Reserve(op["id"], subject, op["model"], op["amounts"], op["minimums"], lease=op["lease"])
            case "finalize" if op["unreserved"] is not None:
                key, model, age = op["unreserved"]
                more: dict[str, Any] = {"allow_unreserved": True, "model": model, "age": age}
                return Finalize(Scope(api_key_id=key), op["id"], op["amounts"], **more)
            case "finalize":
                return Finalize(self._scope, op["id"], op["amounts"])
            case "release":
                return Release(self._scope, op["id"])
            case "renew":
                return Renew(self._scope, tuple(op["ids"]), op["lease"])
            case _:
                return Read(self._scope, op["id"])

    def _told(self, answer: Answer | Exception) -> Any:
        match answer:
            case ReserveAnswer():
                told = {"replayed": answer.replayed, "limits": [self._status(status) for status in answer.limits]}
                return {"answer": "held", **told, "reservation": self._seen(answer.reservation)}
            case SettleAnswer():
                settled = {"changed": answer.changed, "replayed": answer.replayed}
                return {"answer": "settled", **settled, "reservation": self._seen(answer.reservation)}
            case ReadAnswer():
                return {"answer": "read", "reservation": self._seen(answer.reservation)}
            case tuple():
                return [_renewal(one) for one in answer]
            case QuotaError():
                return self._error(answer)
            case _:
                raise answer

    def _error(self, error: QuotaError) -> Facts:
        match error:
            case InvalidRequest():
                return {"error": error.reason, "field": error.field}
            case ReservationIdReused():
                return {"error": error.reason, "fields": error.metadata["fields"]}
            case ReservationConflict():
                found = error.reservation
                return {"error": error.reason, "reservation": None if found is None else self._seen(found)}
            case Refused():
                return self._refusal(error)
            case _:
                return {"error": error.reason}

    def _refusal(self, error: Refused) -> Facts:
        violations = error.denial.violations
        if error.denial.never_fits:
            never = [self._status(violation.status)["rule"] for violation in violations if violation.never_fits]
            return {"error": error.reason, "never_fits": never}
        return {
            "error": error.reason,
            "violations": [self._violation(violation) for violation in violations],
            "retry_after": error.denial.retry_after,
        }

    def _violation(self, violation: Violation) -> Facts:
        told = {"requested": violation.requested, "blocked_by": violation.blocked_by.value}
        return {**self._status(violation.status), **told}

    def _status(self, status: LimitStatus) -> Facts:
        return {
            "rule": self._names.rule(status.limit.limit_id),
            "max": status.limit.max_value,
            "start": status.window_start,
            "reset": status.reset_time,
            "held": status.held,
            "used": status.used,
        }

    def _seen(self, found: Reservation) -> Facts:
        return {
            "id": found.reservation_id,
            "key": found.api_key_id or None,
            "model": found.model,
            "state": found.state.value,
            "requested": dict(found.requested),
            "granted": dict(found.reserved),
            "actual": dict(found.actual),
            "holds": [
                {
                    "rule": self._names.rule(hold.limit_id),
                    "start": hold.window_start,
                    "held": hold.held,
                    "charged": hold.charged,
                    "over_by": hold.over_by,
                }
                for hold in found.holds
            ],
            "create": found.create_time,
            "expire": found.expire_time,
            "settle": found.settle_time,
            "late": found.late,
            "unreserved": found.unreserved,
        }


def limit_of(given: Facts) -> Limit:
    """A limit as the oracle writes it."""
    if given["window"].endswith("s"):
        window = Window(WindowKind.FIXED, int(given["window"][:-1]))
    else:
        window = Window(WindowKind(given["window"]), time_zone=given["zone"])
    enforcement = Enforcement.SHADOW if given["shadow"] else Enforcement.ENFORCE
    return Limit(given["metric"], window, given["max"], given["pattern"], enforcement)


def _renewal(answer: RenewAnswer) -> Facts:
    state = None if answer.state is None else answer.state.value
    if answer.error is not None:
        return {"error": answer.error.reason, "state": state}
    return {"error": None, "state": state, "expire": answer.expire_time}
