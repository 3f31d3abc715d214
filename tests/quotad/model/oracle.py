"""The ledger's rules, once more and as plainly as they can be said: what every answer must be.

It is written from the rules alone and shares no code with the daemon: its own defaults, windows, leases, admission and
settlement. Everything is a dict; nothing is fast.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Facts = dict[str, Any]
Rule = tuple[str, str, str, str, str]
"""A limit's identity: owner, metric, window, time zone, model pattern."""
Window = tuple[Rule, datetime]
"""A limit and when its window began."""

DEFAULT_LEASE = timedelta(minutes=90)
LEASE_TOTAL_MAX = timedelta(hours=24)
OUTAGE_AFTER = timedelta(seconds=10)
HOUR = timedelta(hours=1)
HORIZON = timedelta(days=7)
OPEN = ("reserved", "expired")


class Oracle:
    """One tenant's ledger."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.last_sweep: datetime | None = None
        self.floor: datetime | None = None
        self.keys: dict[str, Facts] = {}
        self.parents: dict[str, str | None] = {}
        """By group, the one above it."""
        self.limits: dict[Rule, Facts] = {}
        self.windows: dict[Window, Facts] = {}
        self.reservations: dict[str, Facts] = {}

    # Configuration

    def put_limits(self, owner: str, limits: Iterable[Facts]) -> None:
        """Replace the owner's set of limits; one that was there before keeps its creation time and its windows."""
        for rule, limit in self.limits.items():
            if rule[0] == owner:
                limit["position"] = None
        for position, given in enumerate(limits):
            rule = (owner, given["metric"], given["window"], given["zone"], given["pattern"])
            limit = self.limits.setdefault(rule, {"created": self.now})
            limit |= {"max": given["max"], "shadow": given["shadow"], "position": position}

    def own_rules(self, owner: str) -> list[Rule]:
        found = [rule for rule, limit in self.limits.items() if rule[0] == owner and limit["position"] is not None]
        return sorted(found, key=lambda rule: self.limits[rule]["position"])

    def rules(self, key: str, model: str | None = None) -> list[Rule]:
        """The limits of a key and then of its groups up to the root, those that bind `model` where one is given."""
        found, group = self.own_rules(key), self.keys[key]["group"]
        while group is not None:
            found += self.own_rules(group)
            group = self.parents[group]
        return [rule for rule in found if model is None or matches(rule[4], model)]

    def is_usable(self, key: str) -> bool:
        expires = self.keys[key]["expires"]
        return not self.keys[key]["disabled"] and (expires is None or self.now < expires)

    # Time

    def is_away(self) -> bool:
        return self.last_sweep is not None and self.last_sweep < self.now - OUTAGE_AFTER

    def is_lapsed(self, reservation: Facts) -> bool:
        return reservation["state"] == "reserved" and self.now >= self.lapses_at(reservation)

    def lapses_at(self, reservation: Facts) -> datetime:
        floor = self.now + DEFAULT_LEASE if self.is_away() else self.floor
        expire: datetime = reservation["expire"]
        return expire if floor is None else max(expire, floor)

    def sweep(self) -> None:
        if self.is_away():
            self.floor = self.now + DEFAULT_LEASE
        self.last_sweep = self.now if self.last_sweep is None else max(self.last_sweep, self.now)
        self.expire_lapsed()

    def expire_lapsed(self) -> None:
        for reservation in self.reservations.values():
            if self.is_lapsed(reservation):
                self.expire(reservation)

    def expire(self, reservation: Facts) -> None:
        for hold in reservation["holds"]:
            self.window(hold["rule"], hold["start"])["held"] -= hold["held"]
        reservation |= {"state": "expired", "expire": self.lapses_at(reservation)}

    def window(self, rule: Rule, start: datetime) -> Facts:
        return self.windows.setdefault((rule, start), {"held": 0, "used": 0})

    def span(self, rule: Rule, moment: datetime) -> tuple[datetime, datetime | None]:
        return window_span(rule[2], rule[3], self.limits[rule]["created"], moment)

    def status(self, rule: Rule, start: datetime | None = None) -> Facts:
        first, reset = self.span(rule, self.now if start is None else start)
        window = self.window(rule, first)
        return {"rule": rule, "max": self.limits[rule]["max"], "start": first, "reset": reset, **window}

    def answer(self, op: Facts) -> Any:
        return {
            "reserve": self.reserve,
            "finalize": self.finalize,
            "release": self.release,
            "renew": self.renew,
            "read": self.read,
        }[op["call"]](op)

    # Reserve

    def reserve(self, op: Facts) -> Facts:
        wanted = counted(op["amounts"])
        found = self.reservations.get(op["id"])
        if found is not None:
            return self.reserve_again(op, wanted, found)
        if not self.is_usable(op["key"]):
            return {"error": "API_KEY_DISABLED"}
        if not any(matches(pattern, op["model"]) for pattern in self.keys[op["key"]]["models"] or [""]):
            return {"error": "MODEL_NOT_ALLOWED"}
        rules = self.rules(op["key"], op["model"])
        enforced = [rule for rule in rules if not self.limits[rule]["shadow"]]
        missing = sorted({rule[1] for rule in enforced} - wanted.keys())
        if missing:
            return {"error": "INVALID_REQUEST", "field": f"amounts.{missing[0]}"}
        least = {metric: op["minimums"].get(metric, amount) for metric, amount in wanted.items()}
        least |= {metric: wanted[metric] for metric in ("requests", "concurrency")}
        refusal = self.refusal(enforced, least)
        if refusal is not None:
            return refusal
        granted = dict(wanted)
        for rule in enforced:
            granted[rule[1]] = min(granted[rule[1]], self.room(rule))
        return self.admit(op, wanted, granted, rules)

    def reserve_again(self, op: Facts, wanted: Facts, found: Facts) -> Facts:
        if found["key"] is None:
            return {"error": "RESERVATION_FENCED", "reservation": None}
        if found["key"] != op["key"]:
            return {"error": "RESERVATION_ID_REUSED", "fields": "api_key"}
        given = {"model": op["model"], "amounts": wanted, "min_amounts": op["minimums"]}
        kept = {"model": found["model"], "amounts": found["requested"], "min_amounts": found["minimums"]}
        differing = [] if found["unreserved"] else [name for name in given if given[name] != kept[name]]
        if differing:
            return {"error": "RESERVATION_ID_REUSED", "fields": ",".join(differing)}
        if found["state"] == "released":
            return {"error": "RESERVATION_FENCED", "reservation": seen(found)}
        if found["state"] != "reserved" or self.is_lapsed(found):
            return {"error": "RESERVATION_NOT_OPEN", "reservation": seen(found)}
        standing = self.rules(op["key"])
        limits = [self.status(hold["rule"], hold["start"]) for hold in found["holds"] if hold["rule"] in standing]
        return {"answer": "held", "replayed": True, "limits": limits, "reservation": seen(found)}

    def admit(self, op: Facts, wanted: Facts, granted: Facts, rules: list[Rule]) -> Facts:
        made = {
            **bare(op["id"], op["key"], op["model"], "reserved", self.now),
            "requested": wanted,
            "minimums": op["minimums"],
            "granted": granted,
            "holds": [self.hold(rule, granted.get(rule[1], 0), self.now) for rule in rules],
            "expire": self.now + (op["lease"] or DEFAULT_LEASE),
        }
        for hold in made["holds"]:
            self.window(hold["rule"], hold["start"])["held"] += hold["held"]
        self.reservations[op["id"]] = made
        limits = [self.status(rule) for rule in rules]
        return {"answer": "held", "replayed": False, "limits": limits, "reservation": seen(made)}

    def hold(self, rule: Rule, amount: int, moment: datetime) -> Facts:
        return {"rule": rule, "start": self.span(rule, moment)[0], "held": amount, "charged": 0, "over_by": 0}

    def room(self, rule: Rule) -> int:
        status = self.status(rule)
        return int(status["max"] - status["used"] - status["held"])

    def refusal(self, enforced: list[Rule], least: Facts) -> Facts | None:
        """What is in the way, after whatever has lapsed was taken out of it."""
        if not any(least[rule[1]] > self.room(rule) for rule in enforced):
            return None
        violated = [rule for rule in enforced if least[rule[1]] > self.limits[rule]["max"]]
        if violated:
            return {"error": "REQUEST_EXCEEDS_LIMIT", "never_fits": violated}
        self.expire_lapsed()
        violated = [rule for rule in enforced if least[rule[1]] > self.room(rule)]
        if not violated:
            return None
        violations = [self.violation(rule, least[rule[1]]) for rule in violated]
        return {"error": "QUOTA_EXCEEDED", "violations": violations, "retry_after": self.wait(violations)}

    def violation(self, rule: Rule, needed: int) -> Facts:
        status = self.status(rule)
        by_use = needed > status["max"] - status["used"]
        return {**status, "requested": needed, "blocked_by": "used" if by_use else "held"}

    def wait(self, violations: list[Facts]) -> timedelta | None:
        waits = []
        for violation in violations:
            if violation["blocked_by"] == "held":
                waits.append(timedelta(seconds=1))
            elif violation["reset"] is None:
                return None
            else:
                waits.append(violation["reset"] - self.now)
        return max(waits)

    # Settle

    def finalize(self, op: Facts) -> Facts:
        found = self.reservations.get(op["id"])
        if found is None:
            if op["unreserved"] is None:
                return {"error": "RESERVATION_NOT_FOUND"}
            key, model, age = op["unreserved"]
            if age > HORIZON - timedelta(days=1):
                return {"error": "TOO_OLD"}
            moment = self.now - age
            holds = [self.hold(rule, 0, moment) for rule in self.rules(key, model)]
            found = {**bare(op["id"], key, model, "expired", self.now), "holds": holds, "unreserved": True}
            self.reservations[op["id"]] = found
        actual = charges(counted(op["amounts"]) if found["unreserved"] else op["amounts"], found["granted"])
        if found["state"] == "released":
            return {"answer": "settled", "changed": False, "replayed": False, "reservation": seen(found)}
        if found["state"] == "finalized":
            if actual != found["actual"]:
                return {"error": "FINALIZE_MISMATCH", "reservation": seen(found)}
            return {"answer": "settled", "changed": False, "replayed": True, "reservation": seen(found)}
        late = not found["unreserved"] and (found["state"] == "expired" or self.is_lapsed(found))
        self.give_back(found)
        for hold in found["holds"]:
            self.charge(hold, actual.get(hold["rule"][1], 0))
        found |= {"state": "finalized", "actual": actual, "late": late, "settle": self.now}
        return {"answer": "settled", "changed": True, "replayed": False, "reservation": seen(found)}

    def charge(self, hold: Facts, amount: int) -> None:
        window = self.window(hold["rule"], hold["start"])
        window["used"] += amount
        hold["charged"] = amount
        hold["over_by"] = max(0, min(amount, window["used"] - self.limits[hold["rule"]]["max"]))

    def give_back(self, reservation: Facts) -> None:
        if reservation["state"] == "reserved":
            for hold in reservation["holds"]:
                self.window(hold["rule"], hold["start"])["held"] -= hold["held"]

    def release(self, op: Facts) -> Facts:
        found = self.reservations.setdefault(op["id"], bare(op["id"], None, "", "expired", self.now))
        if found["state"] not in OPEN:
            return {"answer": "settled", "changed": False, "replayed": False, "reservation": seen(found)}
        self.give_back(found)
        found |= {"state": "released", "settle": self.now}
        return {"answer": "settled", "changed": True, "replayed": False, "reservation": seen(found)}

    # Renew and reads

    def renew(self, op: Facts) -> list[Facts]:
        return [self.renew_one(reservation_id, op["lease"] or DEFAULT_LEASE) for reservation_id in op["ids"]]

    def renew_one(self, reservation_id: str, lease: timedelta) -> Facts:
        found = self.reservations.get(reservation_id)
        if found is None:
            return {"error": "RESERVATION_NOT_FOUND", "state": None}
        if self.is_lapsed(found):
            self.expire(found)
        if found["state"] != "reserved":
            return {"error": "RESERVATION_NOT_OPEN", "state": found["state"]}
        if not self.is_usable(found["key"]):
            return {"error": "API_KEY_DISABLED", "state": "reserved"}
        found["expire"] = max(found["expire"], min(self.now + lease, found["create"] + LEASE_TOTAL_MAX))
        return {"error": None, "state": "reserved", "expire": found["expire"]}

    def read(self, op: Facts) -> Facts:
        found = self.reservations.get(op["id"])
        if found is None:
            return {"error": "RESERVATION_NOT_FOUND"}
        if self.is_lapsed(found):
            self.expire(found)
        return {"answer": "read", "reservation": seen(found)}

    def describe(self, key: str) -> list[Facts]:
        return [self.status(rule) for rule in self.rules(key)]


def bare(reservation_id: str, key: str | None, model: str, state: str, now: datetime) -> Facts:
    return {
        "id": reservation_id,
        "key": key,
        "model": model,
        "state": state,
        "requested": {},
        "minimums": {},
        "granted": {},
        "actual": {},
        "holds": [],
        "create": now,
        "expire": now,
        "settle": None,
        "late": False,
        "unreserved": False,
    }


def seen(reservation: Facts) -> Facts:
    """What an answer shows of a reservation, as it is at the moment."""
    shown = {name: value for name, value in reservation.items() if name != "minimums"}
    return {**shown, "holds": [dict(hold) for hold in reservation["holds"]]}


def matches(pattern: str, model: str) -> bool:
    return model.startswith(pattern[:-1]) if pattern.endswith("*") else pattern in ("", model)


def counted(amounts: Facts) -> Facts:
    """With what counts unless it is given."""
    wanted = {"requests": 1, "concurrency": 1, **amounts}
    if "total_tokens" not in amounts and ("input_tokens" in amounts or "output_tokens" in amounts):
        wanted["total_tokens"] = amounts.get("input_tokens", 0) + amounts.get("output_tokens", 0)
    return wanted


def charges(amounts: Facts, granted: Facts) -> Facts:
    actual = {**granted, **amounts}
    if "total_tokens" not in amounts and ("input_tokens" in amounts or "output_tokens" in amounts):
        actual["total_tokens"] = actual.get("input_tokens", 0) + actual.get("output_tokens", 0)
    if "concurrency" in actual:
        actual["concurrency"] = 0
    return actual


def window_span(window: str, zone: str, created: datetime, moment: datetime) -> tuple[datetime, datetime | None]:
    """The window's start and reset: found by looking at the clock on the wall, an hour at a time."""
    if window == "lifetime":
        return created, None
    if window.endswith("s"):
        length = timedelta(seconds=int(window[:-1]))
        start = created
        while start > moment:
            start -= length
        while start + length <= moment:
            start += length
        return start, start + length
    start = moment.replace(minute=0, second=0, microsecond=0)
    end = start + HOUR
    if window == "hour":
        return start, end
    while label(window, zone, start - HOUR) == label(window, zone, moment):
        start -= HOUR
    while label(window, zone, end) == label(window, zone, moment):
        end += HOUR
    return start, end


def label(window: str, zone: str, moment: datetime) -> object:
    local = moment.astimezone(ZoneInfo(zone))
    return {
        "day": local.date(),
        "week": local.isocalendar()[:2],
        "month": (local.year, local.month),
    }[window]
