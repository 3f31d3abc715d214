"""Whatever the order of their steps, sessions end as if they had come one after the other.

Every run plays what production runs, `run_locked`, on a ledger of its own, and then compares answers, reservations and
windows with those of the same operations in some order that fits what was seen. A deadlock is a failure even where the
store would try again.
"""

from __future__ import annotations

import pytest

from tests.quotad.interleavings.cases import EDITS, PAIRS, TRIPLES
from tests.quotad.interleavings.others import holders, terminator, together
from tests.quotad.interleavings.scene import BEGINNING, READING, RECALLING, WRITING, Case, stage
from tests.quotad.interleavings.scheduler import every_schedule, some_schedules
from tests.support.extent import Extent

NAMED = {case.name: case for case in (*PAIRS, *TRIPLES, *EDITS)}

pytestmark = pytest.mark.timeout(1800)
both_paths = pytest.mark.parametrize("is_optimistic", [False, True], ids=["locked", "optimistic"])


@both_paths
@pytest.mark.parametrize("case", PAIRS, ids=lambda case: case.name)
async def test_two_sessions_end_as_one_after_the_other(
    case: Case, ledger_url: str, extent: Extent, *, is_optimistic: bool
) -> None:
    """Short: every order of the steps that lock or write. Long: of those that read, too, and some of all statements."""
    async with stage(ledger_url, sessions=2, is_optimistic=is_optimistic) as played_on:
        for choices in every_schedule(10_000):
            await played_on.played(case, choices, stops=extent.pick(WRITING, WRITING | READING) | RECALLING)
        for choices in some_schedules(extent.pick(0, 300)):
            await played_on.played(case, choices, stops=None)
    extent.note(f"{played_on.runs} runs")


@both_paths
@pytest.mark.parametrize("case", EDITS, ids=lambda case: case.name)
async def test_an_edit_binds_every_request_that_starts_after_it(
    case: Case, ledger_url: str, extent: Extent, *, is_optimistic: bool
) -> None:
    async with stage(ledger_url, sessions=3, is_optimistic=is_optimistic) as played_on:
        for choices in extent.pick(some_schedules(20), every_schedule(10_000)):
            await played_on.played(case, choices, stops=READING | RECALLING | WRITING)
    extent.note(f"{played_on.runs} runs")


@both_paths
@pytest.mark.parametrize("case", TRIPLES, ids=lambda case: case.name)
async def test_three_sessions_end_as_one_after_the_other(
    case: Case, ledger_url: str, extent: Extent, *, is_optimistic: bool
) -> None:
    """Long: every order with at most three preemptions, and a thousand others by chance."""
    async with stage(ledger_url, sessions=3, is_optimistic=is_optimistic) as played_on:
        for choices in some_schedules(extent.pick(10, 1000)):
            await played_on.played(case, choices)
        for choices in every_schedule(extent.pick(0, 5000)):
            await played_on.played(case, choices, preemptions_max=3)
    extent.note(f"{played_on.runs} runs")


@both_paths
@pytest.mark.parametrize(
    ("name", "there", "to_come"),
    [
        ("two requests, room for one, in a window that is there", [], []),
        ("one request twice", [], ["a"]),
        ("two finalizes", ["a"], []),
        ("finalize and release", ["a"], []),
        ("a charge makes room", ["a"], ["b"]),
        ("two batches on the same two reservations", ["a", "b"], []),
        ("two batches in opposite order", ["a", "b"], ["c"]),
    ],
)
async def test_sessions_that_wait_at_each_row_end_as_one_after_the_other(
    name: str, there: list[str], to_come: list[str], ledger_url: str, extent: Extent, *, is_optimistic: bool
) -> None:
    """Every row that they need is held by somebody, and let go in every order."""
    case = NAMED[name]
    metrics = [limit.metric for limit in case.limits]
    async with stage(ledger_url, sessions=2, others=6, is_optimistic=is_optimistic) as played_on:
        others = holders(played_on, reservations=there, to_come=to_come, windows=metrics)
        for choices in extent.pick(some_schedules(15), every_schedule(5000)):
            await played_on.played(case, choices, stops=BEGINNING, others=others)
    extent.note(f"{played_on.runs} runs")


@both_paths
@pytest.mark.parametrize(
    "name", ["two requests, room for one", "one request twice", "two finalizes", "a late finalize and the sweeper"]
)
async def test_a_session_that_is_terminated_at_any_stop_is_made_again_and_counts_once(
    name: str, ledger_url: str, extent: Extent, *, is_optimistic: bool
) -> None:
    async with stage(ledger_url, sessions=2, others=1, is_optimistic=is_optimistic) as played_on:
        for choices in extent.pick(some_schedules(6), every_schedule(5000)):
            await played_on.played(NAMED[name], choices, others=terminator(played_on))
    extent.note(f"{played_on.runs} runs")


@both_paths
@pytest.mark.parametrize("name", ["finalize and release", "a charge makes room"])
async def test_a_session_that_is_terminated_while_it_waits_for_any_row_counts_once(
    name: str, ledger_url: str, extent: Extent, *, is_optimistic: bool
) -> None:
    case = NAMED[name]
    async with stage(ledger_url, sessions=2, others=4, is_optimistic=is_optimistic) as played_on:
        rows = holders(played_on, reservations=["a"], windows=[limit.metric for limit in case.limits])
        others = together(rows, terminator(played_on, target=len(case.name) % 2))
        for choices in extent.pick(some_schedules(6), every_schedule(5000)):
            await played_on.played(case, choices, stops=BEGINNING, others=others)
    extent.note(f"{played_on.runs} runs")
