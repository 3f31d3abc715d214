"""Upstream accounts and where they stand, never their secrets."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter

from dashboard.api.schema import Answer, Moment
from dashboard.services import ServicesNeeded
from proxy.records import read
from proxy.records.accounts import Account as AccountRecord
from proxy.records.accounts import AccountKind, AccountState

router = APIRouter(prefix="/api/accounts", tags=["accounts"])


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
    create_time: Moment


class Accounts(Answer):
    """All accounts by name."""

    accounts: list[Account]


@router.get("")
async def list_accounts(services: ServicesNeeded) -> Accounts:
    """List the upstream accounts with their standing."""
    async with services.database.transaction() as connection:
        found = await read.list_accounts(connection)
    now = datetime.now(UTC)
    return Accounts(accounts=[account_answer(account, now) for account in found])


def account_answer(account: AccountRecord, now: datetime) -> Account:
    """The account as it stands at `now`: a limit that has passed is none."""
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
        create_time=account.create_time,
    )
