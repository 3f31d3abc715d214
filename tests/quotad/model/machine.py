"""Two daemons and the oracle, told the same things in the same order."""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.quotad.model.comparing import alike, comparable
from tests.quotad.model.daemon import limit_of
from tests.quotad.model.oracle import Facts, Oracle, Window
from tests.quotad.model.strategies import (
    BEGINNINGS,
    GROUPS,
    KEYS,
    between_hours,
    daemons,
    hours,
    keys,
    limit_sets,
    operations,
    owners,
)
from tests.quotad.model.world import DAEMONS, World


class LedgerMachine(RuleBasedStateMachine):
    """Every call goes to one of the daemons and to the oracle; their answers must be the same."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.sent: list[Facts] = []
        self.agree = False

    @initialize(
        now=st.sampled_from(BEGINNINGS), given=st.lists(limit_sets, min_size=KEYS + GROUPS, max_size=KEYS + GROUPS)
    )
    def begin(self, now: datetime, given: list[list[Facts]]) -> None:
        """One key in a group of a group, the other beside it in the upper one."""
        self.oracle = Oracle(now)
        self.agree = True
        self.tenant = self.world.run(self.world.begin(now))
        root = self.world.run(self.tenant.create_group(given[KEYS], ""))
        team = self.world.run(self.tenant.create_group(given[KEYS + 1], root))
        self.groups = [root, team]
        self.oracle.parents = {root: None, team: root}
        self.keys = [
            self.world.run(self.tenant.create_key(limits, group))
            for limits, group in zip(given, (team, root), strict=False)
        ]
        for key, group in zip(self.keys, (team, root), strict=True):
            self.oracle.keys[key] = {"disabled": False, "expires": None, "models": [], "group": group}
        for owner, limits in zip([*self.keys, *self.groups], given, strict=True):
            self.oracle.put_limits(owner, limits)

    # What callers do

    @rule(op=operations, daemon=daemons)
    def call(self, op: Facts, daemon: int) -> None:
        self._send([op], daemon)

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), daemon=daemons)
    def repeat(self, data: st.DataObject, daemon: int) -> None:
        """The same bytes again: a retry, because the reply was lost, or a copy that was delayed on its way."""
        op = self.sent[-1 - data.draw(st.integers(0, min(len(self.sent), 8) - 1))]
        self._compare([[op]], [self._asked([op], daemon)])

    @rule(op=operations, first=daemons, second=daemons)
    def send_twice(self, op: Facts, first: int, second: int) -> None:
        self._send([op], first)
        self._compare([self.sent[-1:]], [self._asked(self.sent[-1:], second)])

    @rule(ops=st.lists(operations, min_size=2, max_size=4), daemon=daemons)
    def send_together(self, ops: list[Facts], daemon: int) -> None:
        """In one message: those on one id in the order given, as if one after the other."""
        self._send(ops, daemon)

    @rule(messages=st.lists(st.lists(operations, min_size=1, max_size=2), min_size=2, max_size=2), first=daemons)
    def race(self, messages: list[list[Facts]], first: int) -> None:
        """At the same time, on different daemons: as if one after the other, in some order."""
        messages = [[self._resolved(op) for op in ops] for ops in messages]
        self.sent.extend(itertools.chain(*messages))

        async def all_of_them() -> list[list[Any]]:
            asked = (self.tenant.daemons[(first + n) % DAEMONS].ask(ops) for n, ops in enumerate(messages))
            return await asyncio.gather(*asked)

        self._compare(messages, self.world.run(all_of_them()))

    # What operators do

    @rule(owner=owners, limits=limit_sets, daemon=daemons)
    def edit_limits(self, owner: int, limits: list[Facts], daemon: int) -> None:
        self._edit(daemon, self._owner(owner), limits=tuple(limit_of(given) for given in limits))
        self.oracle.put_limits(self._owner(owner), limits)

    @rule(owner=owners, daemon=daemons, most=st.integers(0, 40))
    def move_a_limit(self, owner: int, daemon: int, most: int) -> None:
        """Raise or lower the first limit of a key or group, and leave the others as they are."""
        given = [self._given(rule) for rule in self.oracle.own_rules(self._owner(owner))]
        given[0]["max"] = most
        self.edit_limits(owner=owner, limits=given, daemon=daemon)

    @rule(key=keys, daemon=daemons, disabled=st.booleans())
    def disable(self, key: int, daemon: int, *, disabled: bool) -> None:
        self._edit(daemon, self.keys[key], disabled=disabled)
        self.oracle.keys[self.keys[key]]["disabled"] = disabled

    @rule(key=keys, daemon=daemons, after=st.none() | between_hours)
    def let_the_key_expire(self, key: int, daemon: int, after: timedelta | None) -> None:
        expires = None if after is None else self.oracle.now + after
        self._edit(daemon, self.keys[key], expire_time=expires)
        self.oracle.keys[self.keys[key]]["expires"] = expires

    @rule(key=keys, daemon=daemons, patterns=st.sampled_from(((), ("gpt-5*",), ("o3", "gpt-5"))))
    def allow_models(self, key: int, daemon: int, patterns: tuple[str, ...]) -> None:
        self._edit(daemon, self.keys[key], allowed_models=patterns)
        self.oracle.keys[self.keys[key]]["models"] = list(patterns)

    @rule(key=keys, daemon=daemons, group=st.none() | st.integers(0, GROUPS - 1))
    def move_a_key(self, key: int, daemon: int, group: int | None) -> None:
        above = None if group is None else self.groups[group]
        self._edit(daemon, self.keys[key], group_id=above or "")
        self.oracle.keys[self.keys[key]]["group"] = above

    @rule(daemon=daemons, below=st.booleans())
    def move_a_group(self, daemon: int, *, below: bool) -> None:
        root, team = self.groups
        self._edit(daemon, team, parent_group_id=root if below else "")
        self.oracle.parents[team] = root if below else None

    # What time does

    @rule(hours=hours)
    def pass_time(self, hours: int) -> None:
        self._move(hours, swept=True)

    @rule(hours=st.integers(1, 2))
    def turn_the_clock_back(self, hours: int) -> None:
        self._move(-hours, swept=True)

    @rule(hours=hours, daemon=daemons)
    def be_away(self, hours: int, daemon: int) -> None:
        """The ledger itself is away; the first daemon that comes back looks at the clock first."""
        self._move(hours, swept=False)
        self.sweep(daemon=daemon)

    @rule(daemon=daemons)
    def sweep(self, daemon: int) -> None:
        self.world.run(self.tenant.sweep(daemon))
        self.oracle.sweep()

    # What stands

    @rule(key=keys, daemon=daemons)
    def describe(self, key: int, daemon: int) -> None:
        found = self.world.run(self.tenant.daemons[daemon].describe(self.keys[key]))
        assert alike(found, self.oracle.describe(self.keys[key]))

    def teardown(self) -> None:
        """Every window, past ones too, holds what it must; and the ledger agrees with itself."""
        if not self.agree:
            return
        self.sweep(daemon=0)
        stands = {window: facts for window, facts in self.oracle.windows.items() if facts["held"] or facts["used"]}
        assert by_hour(self.world.run(self.tenant.windows())) == by_hour(stands)
        assert self.world.run(self.world.differences()) == []

    def _move(self, hours: int, *, swept: bool) -> None:
        by = timedelta(hours=hours)
        self.world.run(self.world.pass_time(by, swept=swept))
        self.oracle.now += by
        if swept and self.oracle.last_sweep is not None:
            self.oracle.last_sweep += by

    def _resolved(self, op: Facts) -> Facts:
        """With the id of its key instead of its number."""
        if op["call"] == "reserve":
            return {**op, "key": self.keys[op["key"]]}
        if op["call"] == "finalize" and op["unreserved"] is not None:
            key, model, age = op["unreserved"]
            return {**op, "unreserved": (self.keys[key], model, age)}
        return op

    def _owner(self, number: int) -> str:
        return [*self.keys, *self.groups][number]

    def _edit(self, daemon: int, owner: str, **changes: Any) -> None:
        self.world.run(self.tenant.edit(daemon, owner, **changes))

    def _given(self, rule: tuple[str, ...]) -> Facts:
        limit = self.oracle.limits[rule]  # type: ignore[index]
        _, metric, window, zone, pattern = rule
        told = {"metric": metric, "window": window, "zone": zone, "pattern": pattern}
        return {**told, "max": limit["max"], "shadow": limit["shadow"]}

    def _send(self, ops: list[Facts], daemon: int) -> None:
        ops = [self._resolved(op) for op in ops]
        self.sent.extend(ops)
        self._compare([ops], [self._asked(ops, daemon)])

    def _asked(self, ops: Sequence[Facts], daemon: int) -> list[Any]:
        return self.world.run(self.tenant.daemons[daemon].ask(ops))

    def _compare(self, messages: Sequence[Sequence[Facts]], answers: Sequence[Sequence[Any]]) -> None:
        """Take over the first course of events that explains the answers."""
        ops, found = list(itertools.chain(*messages)), list(itertools.chain(*answers))
        courses = [course for course in itertools.permutations(range(len(ops))) if keeps_order(course, messages)]
        for expiring, course in itertools.product((False, True), courses):
            oracle = copy.deepcopy(self.oracle)
            if expiring:
                oracle.expire_lapsed()
            told = {place: oracle.answer(ops[place]) for place in course}
            if all(alike(comparable(told[place]), comparable(answer)) for place, answer in enumerate(found)):
                self.oracle = oracle
                return
        expected = [copy.deepcopy(self.oracle).answer(op) for op in ops]
        note(f"operations: {messages}\nanswers: {answers}\neach alone would be: {expected}")
        self.agree = False
        raise AssertionError("no order of these operations explains their answers")


def by_hour(windows: dict[Window, Facts]) -> dict[object, Facts]:
    """An example starts at a full hour and moves by full hours."""
    return {(rule, start.replace(minute=0, second=0, microsecond=0)): facts for (rule, start), facts in windows.items()}


def keeps_order(course: Sequence[int], messages: Sequence[Sequence[Facts]]) -> bool:
    """Whether the operations of each message that name one id come in the order given."""
    places = itertools.count()
    for message in messages:
        numbered = [(next(places), op) for op in message]
        for (first, one), (second, other) in itertools.combinations(numbered, 2):
            if names(one) & names(other) and course.index(first) > course.index(second):
                return False
    return True


def names(op: Facts) -> set[str]:
    return set(op["ids"]) if op["call"] == "renew" else {op["id"]}
