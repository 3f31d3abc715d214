"""Selection as a function: properties over any accounts, and the named cases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from proxy.accounts.selection import Candidate, NoneUsable, choose
from proxy.accounts.standing import BACK_OFF_SECONDS_MAX, Standing, failed, succeeded, took_turn
from proxy.records.accounts import LIMITED, Account, AccountKind, AccountState

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
FRESH = Standing()


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


times = st.integers(-100, 100).map(lambda seconds: NOW + timedelta(seconds=seconds))
standings = st.builds(Standing, failures=st.integers(0, 3), retry_time=st.none() | times, last_turn=st.integers(0, 5))


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    found = []
    for number in range(draw(st.integers(0, 6))):
        state = draw(st.sampled_from(AccountState))
        until = draw(times) if state in LIMITED else None
        found.append(Candidate(account(f"a{number}", state, until), draw(standings), draw(st.booleans())))
    return found


tries = st.frozensets(st.sampled_from([f"a{number}" for number in range(6)]))


def may_serve(candidate: Candidate, tried: frozenset[str]) -> bool:
    chosen = candidate.account
    has_passed = chosen.until is not None and chosen.until <= NOW
    is_active = chosen.state is AccountState.ACTIVE or has_passed
    return is_active and candidate.is_readable and chosen.account_id not in tried


@given(candidates(), tries)
def test_an_account_is_found_exactly_where_one_may_serve(found: list[Candidate], tried: frozenset[str]) -> None:
    serving = {candidate.account.account_id for candidate in found if may_serve(candidate, tried)}
    chosen = choose(found, tried, NOW)
    if isinstance(chosen, NoneUsable):
        assert not serving
    else:
        assert chosen.account_id in serving


@given(candidates(), tries, st.randoms())
def test_the_order_of_the_accounts_does_not_matter(
    found: list[Candidate], tried: frozenset[str], random: Random
) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)
    assert choose(shuffled, tried, NOW) == choose(found, tried, NOW)


@given(candidates(), tries)
def test_no_other_usable_account_is_ahead_of_the_chosen_one(found: list[Candidate], tried: frozenset[str]) -> None:
    chosen = choose(found, tried, NOW)
    if isinstance(chosen, NoneUsable):
        return
    order = {c.account.account_id: (c.standing.failures_at(NOW), c.standing.last_turn) for c in found}
    usable = [c.account.account_id for c in found if may_serve(c, tried)]
    assert order[chosen.account_id] == min(order[account_id] for account_id in usable)


@given(candidates(), tries)
def test_a_refusal_counts_every_account_once_and_names_the_first_end(
    found: list[Candidate], tried: frozenset[str]
) -> None:
    chosen = choose(found, tried, NOW)
    if not isinstance(chosen, NoneUsable):
        return
    assert sum(int(reason.split()[0]) for reason in chosen.reasons) == len(found)
    ends = [c.account.until for c in found if c.account.until is not None and c.account.until > NOW]
    assert chosen.frees_at == min(ends, default=None)


def test_accounts_take_turns() -> None:
    standings = {"a": FRESH, "b": FRESH, "c": FRESH}
    turns = []
    for turn in range(1, 7):
        chosen = choose([Candidate(account(key), value) for key, value in standings.items()], frozenset(), NOW)
        assert isinstance(chosen, Account)
        standings[chosen.account_id] = took_turn(standings[chosen.account_id], turn)
        turns.append(chosen.account_id)
    assert turns == ["a", "b", "c", "a", "b", "c"]


def test_a_failing_account_waits_behind_the_others_and_serves_where_it_is_alone() -> None:
    failing = Candidate(account("a"), failed(FRESH, NOW))
    steady = Candidate(account("b"), took_turn(FRESH, 9))
    assert choose([failing, steady], frozenset(), NOW) == steady.account
    assert choose([failing, steady], frozenset(["b"]), NOW) == failing.account


def test_a_failing_account_gets_its_share_again_after_its_back_off() -> None:
    failing = Candidate(account("a"), failed(FRESH, NOW))
    steady = Candidate(account("b"), took_turn(FRESH, 9))
    assert choose([failing, steady], frozenset(), NOW + timedelta(seconds=2)) == failing.account


def test_the_back_off_doubles_up_to_its_bound_and_ends_with_a_success() -> None:
    standing = FRESH
    waits = []
    for _ in range(9):
        standing = failed(standing, NOW)
        assert standing.retry_time is not None
        waits.append((standing.retry_time - NOW).total_seconds())
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, BACK_OFF_SECONDS_MAX]
    assert succeeded(standing).failures_at(NOW) == 0


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
    assert str(choose([], frozenset(), NOW)) == "none is configured"
