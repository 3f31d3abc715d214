"""Several operations of one message, on the pure plan."""

from datetime import UTC, datetime, timedelta

from quotad.core.operations import Bound, Finalize, Release, Reserve, ReserveAnswer, SettleAnswer
from quotad.core.plan import plan, windows_needed
from quotad.core.state import KeyConfig, LedgerState, Rule, WindowState
from quotad.errors import QuotaExceeded
from quotad.values import ApiKey, Limit, LimitOwner, ReservationState, Scope, Subject, Window, WindowKind

NOW = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
DAY = ("limit", NOW.replace(hour=0, minute=0, second=0))
LIMIT = Limit("total_tokens", Window(WindowKind.DAY), 100, limit_id="limit")


def ledger_state(held: int = 0) -> LedgerState:
    key = ApiKey("key", "default", "demo", "sk-", (LIMIT,), NOW, NOW, "etag")
    return LedgerState(
        tenant_id="default",
        now=NOW,
        lease_floor=None,
        default_lease=timedelta(seconds=120),
        horizon=timedelta(days=7),
        keys={"key": KeyConfig(key, (Rule(LIMIT, LimitOwner("key", "demo"), NOW),), 1)},
        windows={DAY: WindowState(NOW + timedelta(days=1), held=held, max_value=100)},
    )


def reserve(reservation_id: str, tokens: int) -> Bound:
    return Bound(Reserve(reservation_id, Subject(api_key_id="key"), "m", {"total_tokens": tokens}), "key")


def test_operations_of_one_message_see_each_other_in_order() -> None:
    answers = plan(ledger_state(), [reserve("a", 60), reserve("b", 60)]).answers
    assert isinstance(answers[0], ReserveAnswer)
    assert isinstance(answers[1], QuotaExceeded)


def test_a_release_in_the_same_message_makes_room_for_the_next() -> None:
    operations = [reserve("a", 60), Bound(Release(Scope(), "a")), reserve("b", 60)]
    made = plan(ledger_state(), operations)
    assert [type(answer) for answer in made.answers] == [ReserveAnswer, SettleAnswer, ReserveAnswer]
    (window,) = made.writes.windows
    assert (window.held_delta, window.used_delta) == (60, 0)


def test_reserve_and_finalize_in_one_message_write_one_row() -> None:
    made = plan(ledger_state(), [reserve("a", 60), Bound(Finalize(Scope(), "a", {"total_tokens": 7}))])
    (row,) = made.writes.reservations
    assert row.found is None
    assert row.reservation.state is ReservationState.FINALIZED
    (window,) = made.writes.windows
    assert (window.held_delta, window.used_delta) == (0, 7)


def test_a_refused_operation_writes_nothing() -> None:
    assert not plan(ledger_state(held=50), [reserve("a", 60)]).writes


def test_a_plan_asks_for_the_windows_of_its_moment() -> None:
    assert windows_needed(ledger_state(), [reserve("a", 1)]) == {DAY: DAY[1] + timedelta(days=1)}
