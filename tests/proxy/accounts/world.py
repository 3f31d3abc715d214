"""What the account tests share: adding accounts, and asking the table and the upstream."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import ClientSession, ClientTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from proxy.accounts.pool import AccountPool
from proxy.config import ProxySettings
from proxy.demo_upstream.running import Serving
from proxy.errors import NoAccounts
from proxy.records import read, write
from proxy.records.accounts import Account, AccountState, ApiKeyCredentials, NewAccount, OAuthCredentials
from proxy.records.secrets import SecretBox
from proxy.records.usage_samples import list_fetches
from tests.support.waiting import eventually

SETTINGS = ProxySettings(usage_refresh_seconds=0.2)


@dataclass(frozen=True, slots=True)
class World:
    """One database and one strict upstream."""

    engine: AsyncEngine
    box: SecretBox
    demo: Serving

    async def add(self, new: NewAccount) -> str:
        async with self.engine.begin() as connection:
            return await write.add_account(connection, new, self.box)

    async def add_static(self, name: str, *, reports_usage: bool = False) -> str:
        self.demo.upstream.credentials.make_known(access=[f"key-of-{name}"], refresh=[])
        usage_url = f"{self.demo.url}/api/codex/usage" if reports_usage else ""
        credentials = ApiKeyCredentials(f"key-of-{name}")
        return await self.add(NewAccount(name, self.demo.base_url, credentials, usage_url=usage_url))

    async def add_oauth(self, name: str, *, token_url: str = "", reports_usage: bool = False) -> str:
        self.demo.upstream.credentials.make_known(access=[f"first-{name}"], refresh=[f"refresh-{name}"])
        return await self.add(
            NewAccount(
                name,
                self.demo.base_url,
                OAuthCredentials(f"first-{name}", f"refresh-{name}"),
                token_url=token_url or f"{self.demo.url}/oauth/token",
                client_id="test",
                chatgpt_account_id="workspace",
                usage_url=f"{self.demo.url}/api/codex/usage" if reports_usage else "",
            )
        )

    async def account(self, name: str) -> Account:
        async with self.engine.connect() as connection:
            return await read.get_account(connection, name)

    async def fetched(self, account_id: str) -> bool:
        """Whether the account was asked for its usage."""
        async with self.engine.connect() as connection:
            return account_id in await list_fetches(connection)

    async def stored_tokens(self, account_id: str) -> OAuthCredentials:
        async with self.engine.connect() as connection:
            found = await read.list_sealed_accounts(connection)
        (sealed,) = [s.sealed_credentials for s in found if s.account.account_id == account_id]
        credentials = self.box.open(sealed)
        assert isinstance(credentials, OAuthCredentials)
        return credentials

    async def move(self, account_id: str, state: AccountState) -> bool:
        async with self.engine.begin() as connection:
            return await write.move_account(connection, account_id, state)


async def status_at_upstream(pool: AccountPool, account: Account) -> int:
    """The upstream's answer to a request with the account's present credentials."""
    url = f"{account.base_url}/models"
    async with (
        ClientSession(timeout=ClientTimeout(total=5)) as session,
        session.get(url, headers=dict(pool.authorization(account).headers)) as response,
    ):
        return response.status


async def select_eventually(pool: AccountPool, tried: frozenset[str] = frozenset()) -> Account:
    def select() -> Account | None:
        try:
            return pool.select("m", tried)
        except NoAccounts:
            return None

    account = await eventually(select)
    assert account is not None
    return account
