"""Accounts with all that is known of them, as operators are shown them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.records import read
from proxy.records.accounts import Account
from proxy.records.standings import StoredStanding, list_standings
from proxy.records.usage import NO_USAGE, AccountUsage
from proxy.records.usage_samples import UsageFetch, latest_by_account, list_fetches


@dataclass(frozen=True, slots=True)
class Listed:
    """One account with what is known of it."""

    account: Account
    usage: AccountUsage
    standing: StoredStanding | None
    fetch: UsageFetch | None

    @property
    def last_error(self) -> str:
        """What requests met last and, where it goes on, what the last usage fetch met."""
        said = [self.standing.last_error] if self.standing and self.standing.last_error else []
        if self.fetch is not None and self.fetch.error:
            said.append(f"usage: {self.fetch.error}")
        return "; ".join(said)


async def read_listed(connection: AsyncConnection) -> tuple[Listed, ...]:
    """All accounts by name."""
    usages = await latest_by_account(connection)
    standings = await list_standings(connection)
    fetches = await list_fetches(connection)
    return tuple(
        Listed(
            account,
            usages.get(account.account_id, NO_USAGE),
            standings.get(account.account_id),
            fetches.get(account.account_id),
        )
        for account in await read.list_accounts(connection)
    )
