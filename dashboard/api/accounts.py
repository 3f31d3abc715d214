"""Upstream accounts and where they stand. Secrets go in and never come out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, status
from pydantic import Field

from dashboard import accounts
from dashboard.api.schema import Answer, FilterText, Input, Moment, Secret
from dashboard.auth.step_up import STEPPED_UP
from dashboard.services import Actor, ServicesNeeded
from proxy.records.accounts import (
    AccountInvalid,
    AccountKind,
    AccountState,
    ApiKeyCredentials,
    Credentials,
    NewAccount,
    OAuthCredentials,
)
from proxy.records.codex_auth import account_from_codex
from proxy.records.listed import Listed
from proxy.records.usage import AccountUsage, UsageWindow

router = APIRouter(prefix="/api/accounts", tags=["accounts"])

AccountId = Annotated[FilterText, Path(alias="accountId")]
Url = Annotated[str, Field(max_length=2_000)]
HeldSecret = Annotated[Secret, Field(max_length=100_000)]
AuthJson = Annotated[
    Secret, Field(max_length=200_000, description="The content of the `auth.json` that the Codex CLI keeps.")
]


class UsedWindow(Answer):
    """How much of one of an account's usage windows is used, as it was reported last."""

    window: UsageWindow
    used_percent: float
    """What is known at the time of the answer: 0 once the window is over."""
    window_minutes: int | None
    reset_time: Moment | None
    sample_time: Moment
    """When it was reported."""


class Account(Answer):
    """An upstream account."""

    account_id: str
    name: str
    base_url: str
    kind: AccountKind
    state: AccountState
    """The state in effect at the time of the answer."""
    until: Moment | None
    """When a limited state ends."""
    state_reason: str
    is_demo: bool
    """The built-in upstream, which exists only while no other account does."""
    token_url: str
    """Where its refresh token is used; empty for a static key."""
    chatgpt_account_id: str
    usage_url: str
    create_time: Moment
    windows: list[UsedWindow]
    """Empty for an account that reports none."""
    last_error: str
    """What requests, or the last fetch of its usage, met; empty where nothing is wrong."""


class Accounts(Answer):
    """All accounts by name."""

    accounts: list[Account]


class AccountSecrets(Input):
    """A static key, or a token pair."""

    api_key: HeldSecret | None = None
    access_token: HeldSecret | None = None
    refresh_token: HeldSecret | None = Field(default=None, description="Works once; the proxies use it from now on.")
    id_token: HeldSecret | None = None


class AddedAccount(AccountSecrets):
    """An account to be added: with `apiKey`, or with `accessToken`, `refreshToken` and `tokenUrl`."""

    name: str = Field(description="1 to 128 characters.")
    base_url: Url = Field(examples=["https://api.openai.com/v1"])
    token_url: Url = ""
    client_id: FilterText = ""
    chatgpt_account_id: FilterText = ""
    usage_url: Url = Field(default="", description="Where it tells its usage windows.")


class ImportedAccount(Input):
    """The account that the Codex CLI is signed in with."""

    auth_json: AuthJson
    name: str = Field(default="", description="Its e-mail address where it is left out.")


class NewCredentials(AccountSecrets):
    """Other secrets for an account: a key, a token pair, or an `auth.json` with either."""

    auth_json: AuthJson | None = None


@router.get("")
async def list_accounts(services: ServicesNeeded) -> Accounts:
    """List the upstream accounts with their standing."""
    found = await accounts.listed(services)
    now = datetime.now(UTC)
    return Accounts(accounts=[account_answer(one, now) for one in found])


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=[STEPPED_UP])
async def add_account(body: AddedAccount, services: ServicesNeeded, actor: Actor) -> Account:
    """Add an account; the first one ends the demo account. Running proxies follow within a second."""
    with accounts.told():
        new = NewAccount(
            name=body.name,
            base_url=body.base_url,
            credentials=_credentials(body),
            token_url=body.token_url,
            client_id=body.client_id,
            chatgpt_account_id=body.chatgpt_account_id,
            usage_url=body.usage_url,
        )
    return _shown(await accounts.add(services, actor, new))


@router.post("/import", status_code=status.HTTP_201_CREATED, dependencies=[STEPPED_UP])
async def import_account(body: ImportedAccount, services: ServicesNeeded, actor: Actor) -> Account:
    """Add the account of a Codex `auth.json`; its refresh token works once and is the proxies' from now on."""
    with accounts.told():
        new = account_from_codex(body.auth_json.get_secret_value().encode(), body.name)
    return _shown(await accounts.add(services, actor, new))


@router.post("/{accountId}/pause")
async def pause_account(account_id: AccountId, services: ServicesNeeded, actor: Actor) -> Account:
    """Send nothing more to an account until it is resumed; requests under way finish."""
    return _shown(await accounts.move(services, actor, account_id, AccountState.PAUSED))


@router.post("/{accountId}/resume")
async def resume_account(account_id: AccountId, services: ServicesNeeded, actor: Actor) -> Account:
    """Use an account again, whatever state it is in."""
    return _shown(await accounts.move(services, actor, account_id, AccountState.ACTIVE))


@router.put("/{accountId}/credentials", dependencies=[STEPPED_UP])
async def replace_credentials(
    account_id: AccountId, body: NewCredentials, services: ServicesNeeded, actor: Actor
) -> Account:
    """Give an account other secrets of the kind that it has; that ends `reauth_required`."""
    auth_json = body.auth_json and body.auth_json.get_secret_value().encode()
    with accounts.told():
        imported = account_from_codex(auth_json, "imported") if auth_json else None
        credentials = imported.credentials if imported else _credentials(body)
    return _shown(await accounts.replace_credentials(services, actor, account_id, credentials, imported))


@router.delete("/{accountId}", status_code=status.HTTP_204_NO_CONTENT, dependencies=[STEPPED_UP])
async def delete_account(account_id: AccountId, services: ServicesNeeded, actor: Actor) -> None:
    """Remove an account with its secrets; its request logs stay."""
    await accounts.remove(services, actor, account_id)


def account_answer(listed: Listed, now: datetime) -> Account:
    """The account as it stands at `now`: a limit that has passed is none."""
    account = listed.account
    state = account.state_at(now)
    is_changed = state is not account.state
    return Account(
        account_id=account.account_id,
        name=account.name,
        base_url=account.base_url,
        kind=account.kind,
        state=state,
        until=None if is_changed else account.until,
        state_reason="" if is_changed else account.state_reason,
        is_demo=account.is_demo,
        token_url=account.token_url,
        chatgpt_account_id=account.chatgpt_account_id,
        usage_url=account.usage_url,
        create_time=account.create_time,
        windows=account_windows(listed.usage, now),
        last_error=listed.last_error,
    )


def account_windows(usage: AccountUsage, now: datetime) -> list[UsedWindow]:
    """The windows that the account reports, as they are at `now`."""
    parts = ((UsageWindow.PRIMARY, usage.primary), (UsageWindow.SECONDARY, usage.secondary))
    return [
        UsedWindow(
            window=name,
            used_percent=window.used_percent_at(now),
            window_minutes=window.window_minutes,
            reset_time=window.reset_time,
            sample_time=window.sample_time,
        )
        for name, window in parts
        if window is not None
    ]


def _shown(listed: Listed) -> Account:
    return account_answer(listed, datetime.now(UTC))


def _credentials(body: AccountSecrets) -> Credentials:
    """What the body holds. Raises `AccountInvalid` where that is neither a key nor a pair, or both."""
    api_key, access, refresh, identity = (
        secret.get_secret_value().strip() if secret else ""
        for secret in (body.api_key, body.access_token, body.refresh_token, body.id_token)
    )
    if api_key and not (access or refresh or identity):
        return ApiKeyCredentials(api_key)
    if access and refresh and not api_key:
        return OAuthCredentials(access, refresh, identity)
    raise AccountInvalid("send either an API key, or an access token with a refresh token")
