"""What the operator does to upstream accounts: the same changes as the proxy's commands, and in their words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from dashboard import edit_errors, errors
from dashboard.audit import Change, Facts, note
from dashboard.config import DashboardSettings
from dashboard.services import Services
from proxy.records import read, write
from proxy.records.account_key import require_one_key
from proxy.records.accounts import (
    Account,
    AccountInvalid,
    AccountKind,
    AccountNameTaken,
    AccountNotFound,
    AccountState,
    ApiKeyCredentials,
    Credentials,
    NewAccount,
)
from proxy.records.listed import Listed, read_listed
from proxy.records.secrets import SecretBox, SecretKeyUnusable, load_secret_box

KIND = "account"
"""What the log of changes calls one."""
TRIES_MAX = 3
"""A proxy that refreshes the tokens at the same moment makes one try void."""


@contextmanager
def told() -> Iterator[None]:
    """What is wrong with an account, as this service's errors."""
    try:
        yield
    except AccountInvalid as exc:
        raise errors.InvalidInput(_sentence(exc)) from exc
    except AccountNameTaken as exc:
        raise edit_errors.AccountNameTaken(_sentence(exc)) from exc
    except AccountNotFound as exc:
        raise errors.ResourceNotFound("There is no such account.") from exc
    except SecretKeyUnusable as exc:
        raise edit_errors.AccountKeyUnusable(_sentence(exc)) from exc


async def listed(services: Services) -> tuple[Listed, ...]:
    """All accounts by name, with what is known of them."""
    async with services.database.transaction() as connection:
        return await read_listed(connection)


async def add(services: Services, actor: str, new: NewAccount) -> Listed:
    box = secret_box(services.settings)
    async with services.database.transaction() as connection:
        with told():
            await require_one_key(connection, box)
            account_id = await write.add_account(connection, new, box)
        added = await _listed_one(connection, account_id)
        await note(connection, actor, Change("create", KIND, account_id, after=facts(added.account)))
        return added


async def move(services: Services, actor: str, account_id: str, state: AccountState) -> Listed:
    """Pause or resume; an account that is there already stays as it is."""
    async with services.database.transaction() as connection:
        account = await _find(connection, account_id)
        if await write.move_account(connection, account.account_id, state):
            before, after = ({"name": account.name, "state": each} for each in (account.state, state))
            await note(connection, actor, Change("update", KIND, account_id, before=before, after=after))
        return await _listed_one(connection, account_id)


async def remove(services: Services, actor: str, account_id: str) -> None:
    async with services.database.transaction() as connection:
        account = await _find(connection, account_id)
        if await write.remove_account(connection, account.account_id):
            await note(connection, actor, Change("delete", KIND, account_id, before=facts(account)))


async def replace_credentials(
    services: Services, actor: str, account_id: str, credentials: Credentials, imported: NewAccount | None
) -> Listed:
    """Store other secrets of the kind that the account has; `imported` tells where they come from, if that is known."""
    box = secret_box(services.settings)
    async with services.database.transaction() as connection:
        for _ in range(TRIES_MAX):
            account = await _find(connection, account_id)
            with told():
                check_replacement(account, credentials, imported)
                await require_one_key(connection, box)
            version = account.token_version
            if await write.store_tokens(connection, account.account_id, credentials, box, expected_version=version):
                await note(connection, actor, Change("rotate", KIND, account_id, after=facts(account)))
                return await _listed_one(connection, account_id)
    raise edit_errors.AccountBusy


def check_replacement(account: Account, credentials: Credentials, imported: NewAccount | None) -> None:
    """Raise `AccountInvalid` where the account could not work with these secrets, or would become another one."""
    kind = AccountKind.API_KEY if isinstance(credentials, ApiKeyCredentials) else AccountKind.OAUTH
    if kind is not account.kind:
        has = "an API key" if account.kind is AccountKind.API_KEY else "OAuth tokens"
        raise AccountInvalid(f"this account works with {has}: remove it, and add it anew, to change that")
    NewAccount(account.name, account.base_url, credentials, token_url=account.token_url)
    if imported is None or kind is AccountKind.API_KEY:
        return
    if (imported.token_url, imported.client_id) != (account.token_url, account.client_id):
        raise AccountInvalid("the account refreshes its tokens elsewhere than the Codex CLI does: send its own tokens")
    known, given = account.chatgpt_account_id, imported.chatgpt_account_id
    if known and given and known != given:
        raise AccountInvalid("the file belongs to another ChatGPT account: add that one instead")


def facts(account: Account) -> Facts:
    """What the log of changes keeps of an account."""
    return {
        "name": account.name,
        "kind": account.kind,
        "base_url": account.base_url,
        "token_url": account.token_url,
        "usage_url": account.usage_url,
        "state": account.state,
        "is_demo": account.is_demo,
    }


def secret_box(settings: DashboardSettings) -> SecretBox:
    """The proxies' key, which is never made here: it would not be theirs. Raises `AccountKeyUnusable`."""
    secret = settings.proxy_secret_key.get_secret_value().strip()
    with told():
        if secret:
            return SecretBox(secret.encode(), "DASHBOARD_PROXY_SECRET_KEY")
        if not settings.proxy_key_file.exists():
            raise edit_errors.AccountKeyUnusable
        return load_secret_box(settings.proxy_key_file)


async def _find(connection: AsyncConnection, account_id: str) -> Account:
    with told():
        account = await read.get_account(connection, account_id)
        if account.account_id != account_id:
            raise AccountNotFound  # it is the name of another
        return account


async def _listed_one(connection: AsyncConnection, account_id: str) -> Listed:
    for one in await read_listed(connection):
        if one.account.account_id == account_id:
            return one
    with told():
        raise AccountNotFound


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
