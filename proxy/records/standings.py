"""How accounts have done lately, as the replicas share it. Transactions are the caller's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.records.tables import account_standings, accounts
from proxy.records.texts import storable

ERROR_CHARACTERS_MAX = 500


@dataclass(frozen=True, slots=True)
class StoredStanding:
    """One account's failures in a row, and until when others go first; times by the proxies' clocks."""

    failures: int
    retry_time: datetime | None
    change_time: datetime
    """Of the newest failure or recovery: the later one counts."""
    last_error: str = ""
    """What went wrong last, for the operator; it stays after a recovery."""
    last_error_time: datetime | None = None


async def list_standings(connection: AsyncConnection) -> Mapping[str, StoredStanding]:
    """Account id to its standing; accounts that never failed have none."""
    found = (await connection.execute(select(account_standings))).mappings()
    return {
        row["account_id"]: StoredStanding(
            row["failures"], row["retry_time"], row["change_time"], row["last_error"], row["last_error_time"]
        )
        for row in found
    }


async def store_standings(connection: AsyncConnection, standings: Iterable[tuple[str, StoredStanding]]) -> None:
    """Store each unless a later one is there, or the account is gone."""
    for account_id, standing in sorted(standings, key=lambda pair: pair[0]):  # one order: no deadlock of two replicas
        await _store(connection, account_id, standing)


async def _store(connection: AsyncConnection, account_id: str, standing: StoredStanding) -> None:
    table = account_standings.c
    given = {
        table.failures: standing.failures,
        table.retry_time: standing.retry_time,
        table.change_time: standing.change_time,
        table.last_error: storable(standing.last_error, ERROR_CHARACTERS_MAX),
        table.last_error_time: standing.last_error_time,
    }
    source = select(accounts.c.account_id, *(literal(value, column.type) for column, value in given.items())).where(
        accounts.c.account_id == account_id
    )
    statement = insert(account_standings).from_select(["account_id", *(column.name for column in given)], source)
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=[table.account_id],
            set_={column.name: statement.excluded[column.name] for column in given},
            where=table.change_time < statement.excluded.change_time,
        )
    )
