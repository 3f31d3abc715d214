"""Clipping and refusal, as facts about one judgement."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.core.admission import Admitted, Standing, judge, with_defaults
from quotad.core.state import Placed, Rule
from quotad.errors import InvalidRequest
from quotad.values import (
    Amounts,
    BlockedBy,
    Denial,
    Enforcement,
    Limit,
    LimitOwner,
    Window,
    WindowKind,
)

NOW = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
RESET = NOW + timedelta(minutes=10)


def status(
    metric: str = "total_tokens",
    max_value: int = 100,
    used: int = 0,
    held: int = 0,
    enforcement: Enforcement = Enforcement.ENFORCE,
    reset_time: datetime | None = RESET,
) -> Standing:
    limit = Limit(metric, Window(WindowKind.HOUR), max_value, enforcement=enforcement, limit_id=metric)
    rule = Rule(limit, LimitOwner("key", "demo"), NOW)
    return Standing(Placed(rule, (metric, NOW), reset_time), used, held)


def granted(answer: Admitted | Denial) -> Amounts:
    assert isinstance(answer, Admitted)
    return answer.granted


def denied(answer: Admitted | Denial) -> Denial:
    assert isinstance(answer, Denial)
    return answer


def test_a_request_is_one_request_and_its_total_is_input_and_output() -> None:
    assert with_defaults({"input_tokens": 3}) == {
        "requests": 1,
        "concurrency": 1,
        "input_tokens": 3,
        "total_tokens": 3,
    }
    assert with_defaults({"input_tokens": 3, "total_tokens": 9})["total_tokens"] == 9


def test_what_fits_exactly_is_admitted() -> None:
    assert granted(judge({"total_tokens": 30}, {}, [status(used=50, held=20)], NOW)) == {"total_tokens": 30}


def test_a_refusal_names_every_violated_limit() -> None:
    """B7."""
    limits = [status(used=90), status("requests", 1, held=1), status("input_tokens", 1000)]
    denial = denied(judge({"total_tokens": 11, "requests": 1, "input_tokens": 5}, {}, limits, NOW))
    assert [(v.status.limit.metric, v.requested, v.blocked_by) for v in denial.violations] == [
        ("total_tokens", 11, BlockedBy.USED),
        ("requests", 1, BlockedBy.HELD),
    ]
    assert denial.retry_after == timedelta(minutes=10)
    assert not denial.never_fits


def test_a_limit_that_only_holds_block_frees_within_a_second() -> None:
    denial = denied(judge({"total_tokens": 11}, {}, [status(held=95)], NOW))
    assert denial.retry_after == timedelta(seconds=1)


def test_a_used_up_lifetime_limit_promises_no_time() -> None:
    denial = denied(judge({"total_tokens": 11}, {}, [status(used=95, reset_time=None), status(held=95)], NOW))
    assert denial.retry_after is None


def test_a_request_above_a_whole_limit_never_fits() -> None:
    denial = denied(judge({"total_tokens": 101}, {}, [status()], NOW))
    assert denial.never_fits
    assert denial.retry_after is None


def test_a_reset_in_the_past_is_never_promised() -> None:
    past = status(used=100, reset_time=NOW - timedelta(seconds=5))
    assert denied(judge({"total_tokens": 1}, {}, [past], NOW)).retry_after == timedelta()


def test_each_metric_is_clipped_to_its_own_least_room() -> None:
    limits = [status(max_value=80), status(max_value=60), status("output_tokens", 100)]
    answer = judge({"total_tokens": 100, "output_tokens": 90}, {"total_tokens": 10}, limits, NOW)
    assert granted(answer) == {"total_tokens": 60, "output_tokens": 90}


def test_what_falls_below_its_minimum_is_refused() -> None:
    denial = denied(judge({"total_tokens": 100}, {"total_tokens": 61}, [status(max_value=60)], NOW))
    assert denial.violations[0].requested == 61


def test_requests_are_never_clipped() -> None:
    assert isinstance(judge({"requests": 1}, {"requests": 0}, [status("requests", 5, used=5)], NOW), Denial)


def test_a_shadow_limit_neither_refuses_nor_clips() -> None:
    shadow = status(max_value=1, enforcement=Enforcement.SHADOW)
    answer = judge({"total_tokens": 50}, {"total_tokens": 0}, [shadow], NOW)
    assert granted(answer) == {"total_tokens": 50}
    assert isinstance(answer, Admitted)
    assert [v.requested for v in answer.shadowed] == [50]


def test_an_enforced_limit_is_never_skipped_for_want_of_an_amount() -> None:
    with pytest.raises(InvalidRequest, match="cost_microusd"):
        judge({"requests": 1}, {}, [status("cost_microusd")], NOW)


@given(
    amount=st.integers(0, 10**12),
    minimum=st.integers(0, 10**12),
    windows=st.lists(
        st.tuples(st.integers(0, 10**15), st.integers(0, 10**15), st.integers(0, 10**15)), min_size=1, max_size=4
    ),
)
def test_a_grant_always_fits_every_limit(amount: int, minimum: int, windows: list[tuple[int, int, int]]) -> None:
    minimum = min(minimum, amount)
    limits = [status(max_value=m, used=u, held=h) for m, u, h in windows]
    answer = judge({"total_tokens": amount}, {"total_tokens": minimum}, limits, NOW)
    room = min(m - u - h for m, u, h in windows)
    if isinstance(answer, Denial):
        assert minimum > room
        assert len(answer.violations) == sum(minimum > m - u - h for m, u, h in windows)
    else:
        assert minimum <= answer.granted["total_tokens"] == min(amount, room)
