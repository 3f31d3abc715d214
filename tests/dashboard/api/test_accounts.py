"""Upstream accounts over HTTP."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dashboard.api.accounts import account_answer
from proxy.records import write
from proxy.records.accounts import Account, AccountKind, AccountState, NewAccount, OAuthCredentials
from proxy.records.listed import Listed
from proxy.records.secrets import load_secret_box
from proxy.records.standings import StoredStanding
from proxy.records.usage import NO_USAGE, AccountUsage, SampleSource, UsageWindow, WindowUsage
from tests.dashboard.world import Dashboard

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ACCOUNT = Account(
    account_id="01890000-0000-7000-8000-000000000000",
    name="first",
    base_url="https://api.openai.com/v1",
    kind=AccountKind.API_KEY,
    token_version=1,
    token_url="",
    client_id="",
    chatgpt_account_id="",
    usage_url="",
    state=AccountState.RATE_LIMITED,
    until=NOW + timedelta(minutes=1),
    state_reason="429",
    is_demo=False,
    create_time=NOW,
)


def listed(account: Account, usage: AccountUsage = NO_USAGE, standing: StoredStanding | None = None) -> Listed:
    return Listed(account, usage, standing, None)


async def test_accounts_are_listed_with_their_standing_and_without_their_secrets(
    dashboard: Dashboard, tmp_path: Path
) -> None:
    box = load_secret_box(tmp_path / "key")
    credentials = OAuthCredentials("the-access-token", "the-refresh-token", "the-id-token")
    added = NewAccount("mine", "https://api.openai.com/v1", credentials, token_url="https://auth.example/token")
    async with dashboard.services.database.transaction() as connection:
        await write.add_account(connection, added, box)
    async with dashboard.signed_in() as operator:
        answer = await operator.get("/api/accounts")
    [account] = answer.json()["accounts"]
    assert (account["name"], account["kind"], account["state"], account["until"]) == ("mine", "oauth", "active", None)
    assert account["isDemo"] is False
    assert account["createTime"].endswith("Z")
    for secret in ("the-access-token", "the-refresh-token", "the-id-token"):
        assert secret not in answer.text


def test_a_limit_that_lasts_is_shown_with_its_end() -> None:
    shown = account_answer(listed(ACCOUNT), NOW)
    assert (shown.state, shown.until, shown.state_reason) == (AccountState.RATE_LIMITED, ACCOUNT.until, "429")


def test_a_limit_that_has_passed_is_none() -> None:
    shown = account_answer(listed(ACCOUNT), NOW + timedelta(minutes=1))
    assert (shown.state, shown.until, shown.state_reason) == (AccountState.ACTIVE, None, "")


def test_a_state_without_an_end_stays() -> None:
    paused = replace(ACCOUNT, state=AccountState.PAUSED, until=None, state_reason="by hand")
    shown = account_answer(listed(paused), NOW)
    assert (shown.state, shown.until, shown.state_reason) == (AccountState.PAUSED, None, "by hand")


def test_a_window_is_shown_with_its_age_and_is_empty_once_it_is_over() -> None:
    sample = WindowUsage(42.5, 300, NOW + timedelta(hours=1), NOW, SampleSource.FETCH)
    [window] = account_answer(listed(ACCOUNT, AccountUsage(primary=sample)), NOW).windows
    assert (window.window, window.used_percent, window.window_minutes) == (UsageWindow.PRIMARY, 42.5, 300)
    assert (window.reset_time, window.sample_time) == (NOW + timedelta(hours=1), NOW)
    [later] = account_answer(listed(ACCOUNT, AccountUsage(primary=sample)), NOW + timedelta(hours=1)).windows
    assert later.used_percent == 0


def test_the_last_error_of_an_account_is_shown() -> None:
    standing = StoredStanding(1, None, NOW, "502 of the upstream", NOW)
    assert account_answer(listed(ACCOUNT, standing=standing), NOW).last_error == "502 of the upstream"
