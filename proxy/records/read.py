"""What is read of accounts."""

from __future__ import annotations

from sqlalchemy import RowMapping, Text, cast, select
from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.records.accounts import Account, AccountKind, AccountNotFound, AccountState, SealedAccount
from proxy.records.tables import accounts

ACCOUNT_COLUMNS = tuple(column for column in accounts.c if column.name not in ("sealed_credentials", "update_time"))


async def list_accounts(connection: AsyncConnection) -> tuple[Account, ...]:
    """All accounts by name, without their secrets."""
    found = await connection.execute(select(*ACCOUNT_COLUMNS).order_by(accounts.c.name))
    return tuple(account_from_row(row) for row in found.mappings())


async def get_account(connection: AsyncConnection, name: str) -> Account:
    """The account of this name, or else of this id; raises `AccountNotFound`."""
    is_it = (accounts.c.name == name) | (cast(accounts.c.account_id, Text) == name)
    found = await connection.execute(select(*ACCOUNT_COLUMNS).where(is_it).order_by(accounts.c.name != name).limit(1))
    row = found.mappings().one_or_none()
    if row is None:
        raise AccountNotFound(f"there is no account {name!r}")
    return account_from_row(row)


async def list_sealed_accounts(connection: AsyncConnection) -> tuple[SealedAccount, ...]:
    """All accounts with their encrypted credentials; for the proxy alone."""
    found = await connection.execute(select(*ACCOUNT_COLUMNS, accounts.c.sealed_credentials))
    return tuple(SealedAccount(account_from_row(row), row["sealed_credentials"]) for row in found.mappings())


async def find_sealed_account(connection: AsyncConnection, account_id: str) -> SealedAccount | None:
    """One account with its encrypted credentials; None where it is gone."""
    found = await connection.execute(
        select(*ACCOUNT_COLUMNS, accounts.c.sealed_credentials).where(accounts.c.account_id == account_id)
    )
    row = found.mappings().one_or_none()
    return None if row is None else SealedAccount(account_from_row(row), row["sealed_credentials"])


def account_from_row(row: RowMapping) -> Account:
    values = {column.name: row[column] for column in ACCOUNT_COLUMNS}
    values["kind"] = AccountKind(values["kind"])
    values["state"] = AccountState(values["state"])
    return Account(**values)
