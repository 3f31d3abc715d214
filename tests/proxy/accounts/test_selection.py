"""Selection as a function: properties over any accounts, and the named cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.accounts.selection import DEFAULT, Candidate, Chosen, NoneUsable, Routing, choose
from proxy.accounts.standing import BACK_OFF_SECONDS_MAX, Standing, failed, succeeded, took_turn
from proxy.accounts.stickiness import sticky_key
from proxy.records.accounts import LIMITED, Account, AccountKind, AccountState
from proxy.records.settings import RoutingStrategy
from proxy.records.usage import NO_USAGE, AccountUsage, SampleSource, WindowUsage

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
FRESH = Standing()
NONE: frozenset[str] = frozenset()
ROUND_ROBIN = Routing(RoutingStrategy.ROUND_ROBIN)
EARLIER_RESET = Routing(RoutingStrategy.PREFER_EARLIER_RESET)


def account(account_id: str, state: AccountState = AccountState.ACTIVE, until: datetime | None = None) -> Account:
    return Account(
        account_id=account_id,
        name=f"name of {account_id}",
        base_url="http://127.0.0.1/v1",
        kind=AccountKind.API_KEY,
        token_version=1,
        token_url="",
        client_id="",
        chatgpt_account_id="",
        usage_url="",
        state=state,
        until=until,
        state_reason="",
        is_demo=False,
        create_time=NOW,
    )


def window(used_percent: float, resets_in: timedelta | None = timedelta(hours=5)) -> WindowUsage:
    reset_time = None if resets_in is None else NOW + resets_in
    return WindowUsage(used_percent, 300, reset_time, NOW, SampleSource.FETCH)


def used(account_id: str, percent: float, long_percent: float = 0, standing: Standing = FRESH) -> Candidate:
    usage = AccountUsage(window(percent), window(long_percent, timedelta(days=3)))
    return Candidate(account(account_id), standing, usage=usage)


times = st.integers(-100, 100).map(lambda seconds: NOW + timedelta(seconds=seconds))
standings = st.builds(
    Standing,
    failures=st.integers(0, 3),
    retry_time=st.none() | times,
    last_turn=st.integers(0, 5),
    turn_start=st.floats(0, 100),
)
windows = st.builds(
    WindowUsage,
    st.floats(0, 300),
    st.none() | st.integers(1, 10_080),
    st.none() | times,
    times,
    st.just(SampleSource.FETCH),
)
usages = st.just(NO_USAGE) | st.builds(AccountUsage, st.none() | windows, st.none() | windows)
keys = st.just(b"") | st.binary(min_size=1, max_size=16)
routings = st.builds(Routing, st.sampled_from(RoutingStrategy), keys, st.sampled_from(["", "a0", "a1", "gone"]))


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    found = []
    for number in range(draw(st.integers(0, 6))):
        state = draw(st.sampled_from(AccountState))
        until = draw(times) if state in LIMITED else None
        its = account(f"a{number}", state, until)
        found.append(Candidate(its, draw(standings), draw(st.booleans()), draw(usages)))
    return found


tries = st.frozensets(st.sampled_from([f"a{number}" for number in range(6)]))


def may_serve(candidate: Candidate, tried: frozenset[str]) -> bool:
    chosen = candidate.account
    has_passed = chosen.until is not None and chosen.until <= NOW
    is_active = chosen.state is AccountState.ACTIVE or has_passed
    return is_active and candidate.is_readable and chosen.account_id not in tried


def turns(found: Sequence[Candidate], count: int, routing: Routing = DEFAULT) -> list[str]:
    """The ids of the accounts that serve one after the other."""
    now = {candidate.account.account_id: candidate for candidate in found}
    taken = []
    for turn in range(1, count + 1):
        chosen = choose(now.values(), NONE, NOW, routing)
        assert isinstance(chosen, Chosen)
        account_id = chosen.account.account_id
        old = now[account_id]
        now[account_id] = Candidate(old.account, took_turn(old.standing, turn, chosen.turn_start), usage=old.usage)
        taken.append(account_id)
    return taken


@given(candidates(), tries, routings)
def test_an_account_is_found_exactly_where_one_may_serve(
    found: list[Candidate], tried: frozenset[str], routing: Routing
) -> None:
    serving = {candidate.account.account_id for candidate in found if may_serve(candidate, tried)}
    chosen = choose(found, tried, NOW, routing)
    if isinstance(chosen, NoneUsable):
        assert not serving
    else:
        assert chosen.account.account_id in serving


@given(candidates(), tries, routings, st.randoms())
def test_the_order_of_the_accounts_does_not_matter(
    found: list[Candidate], tried: frozenset[str], routing: Routing, random: Random
) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)
    assert choose(shuffled, tried, NOW, routing) == choose(found, tried, NOW, routing)


@given(candidates(), tries, routings)
def test_no_usable_account_with_fewer_failures_is_passed_over(
    found: list[Candidate], tried: frozenset[str], routing: Routing
) -> None:
    """Back-off orders under every strategy, and before stickiness."""
    chosen = choose(found, tried, NOW, routing)
    if isinstance(chosen, NoneUsable):
        return
    failures = {c.account.account_id: c.standing.failures_at(NOW) for c in found if may_serve(c, tried)}
    assert failures[chosen.account.account_id] == min(failures.values())


@given(candidates(), tries, routings)
def test_a_refusal_counts_every_account_once_and_names_the_first_end(
    found: list[Candidate], tried: frozenset[str], routing: Routing
) -> None:
    chosen = choose(found, tried, NOW, routing)
    if not isinstance(chosen, NoneUsable):
        return
    assert sum(int(reason.split()[0]) for reason in chosen.reasons) == len(found)
    ends = [c.account.until for c in found if c.account.until is not None and c.account.until > NOW]
    assert chosen.frees_at == min(ends, default=None)


@given(candidates(), keys.filter(bool), st.sampled_from(RoutingStrategy))
def test_replicas_agree_on_the_account_of_a_sticky_key(
    found: list[Candidate], key: bytes, strategy: RoutingStrategy
) -> None:
    """Their turns differ, and do not matter."""
    others = [Candidate(c.account, took_turn(c.standing, 9, 7.0), c.is_readable, c.usage) for c in found]
    chosen, other = (choose(each, NONE, NOW, Routing(strategy, key)) for each in (found, others))
    if isinstance(chosen, Chosen):
        assert isinstance(other, Chosen)
        assert chosen.account == other.account


@given(candidates(), keys.filter(bool), st.sampled_from(RoutingStrategy))
def test_a_sticky_key_keeps_its_account_when_another_one_goes(
    found: list[Candidate], key: bytes, strategy: RoutingStrategy
) -> None:
    routing = Routing(strategy, key)
    chosen = choose(found, NONE, NOW, routing)
    if isinstance(chosen, NoneUsable):
        return
    rest = [c for c in found if c.account == chosen.account or c.account.account_id == "a0"]
    kept = choose(rest, NONE, NOW, routing)
    assert isinstance(kept, Chosen)
    assert kept.account == chosen.account


@pytest.mark.parametrize("strategy", RoutingStrategy)
def test_fresh_accounts_take_turns(strategy: RoutingStrategy) -> None:
    found = [Candidate(account(account_id), FRESH) for account_id in "abc"]
    assert turns(found, 6, Routing(strategy)) == ["a", "b", "c", "a", "b", "c"]


def test_the_less_used_account_goes_first_and_gets_more() -> None:
    found = [used("a", 75), used("b", 50)]
    taken = turns(found, 30)
    assert taken[0] == "b"
    assert Counter(taken) == {"a": 10, "b": 20}


def test_the_tightest_window_counts() -> None:
    assert turns([used("a", 0, long_percent=90), used("b", 50)], 1) == ["b"]


def test_an_account_without_samples_counts_as_fresh() -> None:
    assert turns([used("a", 10), Candidate(account("b"), FRESH)], 1) == ["b"]


def test_a_window_that_was_reset_counts_no_more() -> None:
    over = AccountUsage(window(99, timedelta(seconds=-1)))
    assert turns([used("a", 10), Candidate(account("b"), FRESH, usage=over)], 1) == ["b"]


def test_an_account_that_comes_back_does_not_make_up_for_the_time_it_was_away() -> None:
    busy = Candidate(account("a"), took_turn(FRESH, 1_000, 1_000.0))
    back = Candidate(account("b"), took_turn(FRESH, 1, 1.0))
    assert Counter(turns([busy, back], 20))["a"] >= 9


def test_round_robin_asks_for_no_usage() -> None:
    assert turns([used("a", 99), used("b", 0)], 4, ROUND_ROBIN) == ["a", "b", "a", "b"]


def test_the_account_whose_long_window_resets_first_is_used_first() -> None:
    late = Candidate(account("a"), FRESH, usage=AccountUsage(window(0), window(0, timedelta(days=5))))
    soon = Candidate(account("b"), FRESH, usage=AccountUsage(window(0), window(80, timedelta(days=1))))
    unknown = Candidate(account("c"), FRESH)
    assert turns([late, soon, unknown], 3, EARLIER_RESET) == ["b", "b", "b"]
    assert turns([late, unknown], 1, EARLIER_RESET) == ["a"]


def test_sticky_keys_spread_by_weight() -> None:
    found = [used("a", 80), used("b", 0)]
    spread: Counter[str] = Counter()
    for number in range(600):
        chosen = choose(found, NONE, NOW, Routing(sticky_key=sticky_key("key", f"thread {number}")))
        assert isinstance(chosen, Chosen)
        spread[chosen.account.account_id] += 1
    assert 60 < spread["a"] < 150, "a sixth"


def test_a_remembered_account_is_kept_until_it_was_tried_or_fails() -> None:
    found = [Candidate(account("a"), FRESH), Candidate(account("b"), took_turn(FRESH, 5))]
    routing = Routing(sticky_key=b"k", remembered="b")
    assert choose(found, NONE, NOW, routing) == Chosen(account("b"), 1.0)
    assert choose(found, frozenset("b"), NOW, routing) == Chosen(account("a"))
    failing = [found[0], Candidate(account("b"), failed(FRESH, NOW))]
    assert choose(failing, NONE, NOW, routing) == Chosen(account("a"))


def test_a_failing_account_waits_behind_the_others_and_serves_where_it_is_alone() -> None:
    failing = Candidate(account("a"), failed(FRESH, NOW))
    steady = Candidate(account("b"), took_turn(FRESH, 9))
    assert choose([failing, steady], NONE, NOW, ROUND_ROBIN) == Chosen(steady.account, 1.0)
    assert choose([failing, steady], frozenset(["b"]), NOW) == Chosen(failing.account)


def test_a_failing_account_gets_its_share_again_after_its_back_off() -> None:
    failing = Candidate(account("a"), failed(FRESH, NOW))
    steady = Candidate(account("b"), took_turn(FRESH, 9))
    assert choose([failing, steady], NONE, NOW + timedelta(seconds=2)) == Chosen(failing.account)


def test_the_back_off_doubles_up_to_its_bound_and_ends_with_a_success() -> None:
    standing = FRESH
    waits = []
    for _ in range(9):
        standing = failed(standing, NOW, "upstream_error: it broke")
        assert standing.retry_time is not None
        waits.append((standing.retry_time - NOW).total_seconds())
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, BACK_OFF_SECONDS_MAX]
    assert succeeded(standing, NOW).failures_at(NOW) == 0
    assert succeeded(standing, NOW).last_error == "upstream_error: it broke"


def test_a_refusal_says_why_and_when_one_frees() -> None:
    found = [
        Candidate(account("a", AccountState.RATE_LIMITED, NOW + timedelta(seconds=90)), FRESH),
        Candidate(account("b", AccountState.QUOTA_EXCEEDED, NOW + timedelta(hours=5)), FRESH),
        Candidate(account("c", AccountState.PAUSED), FRESH),
        Candidate(account("d"), FRESH),
    ]
    refusal = choose(found, frozenset("d"), NOW)
    assert str(refusal) == (
        "1 paused, 1 quota_exceeded, 1 rate_limited, 1 tried; the first is free again at 2026-05-01T12:01:30Z"
    )
    assert str(choose([], NONE, NOW)) == "none is configured"
