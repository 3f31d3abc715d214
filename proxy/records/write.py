"""What is written about accounts and requests. Transactions are the caller's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from uuid import uuid4

from sqlalchemy import bindparam, case, column, delete, exists, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.records.accounts import TRANSITIONS, AccountNameTaken, AccountState, Credentials, NewAccount
from proxy.records.request_logs import AttemptRow, RequestLogRow
from proxy.records.secrets import SecretBox
from proxy.records.tables import accounts, request_logs
from proxy.records.texts import storable

TEXT_CHARACTERS_MAX = 2_000
"""Longest text kept per field; clients and upstreams choose these texts, and rows must stay small."""

ROW_FIELDS = tuple(field.name for field in fields(RequestLogRow))
ATTEMPT_FIELDS = tuple(field.name for field in fields(AttemptRow))


def _insert_rows() -> Insert:
    """All rows in one statement: the triggers then add each total up once a batch."""
    columns = [request_logs.c[name] for name in ROW_FIELDS]
    given = func.jsonb_to_recordset(bindparam("rows", type_=JSONB)).table_valued(
        *(column(each.name, each.type) for each in columns)
    )
    new = insert(request_logs).from_select(ROW_FIELDS, select(given.render_derived(name="given", with_types=True)))
    return new.on_conflict_do_update(
        index_elements=[request_logs.c.start_time, request_logs.c.request_log_id],
        set_={"count": new.excluded.count},
        where=request_logs.c.count < new.excluded.count,
    )


INSERT_ROWS = _insert_rows()


async def add_account(connection: AsyncConnection, new: NewAccount, box: SecretBox) -> str:
    """Add an account and return its id; a real one ends the demo account. Raises `AccountNameTaken`."""
    await _lock_accounts(connection)
    if not new.is_demo:
        await connection.execute(delete(accounts).where(accounts.c.is_demo))
    statement = (
        insert(accounts)
        .values(
            account_id=str(uuid4()),
            name=new.name,
            base_url=new.base_url.rstrip("/"),
            kind=new.kind,
            sealed_credentials=box.seal(new.credentials),
            token_url=new.token_url,
            client_id=new.client_id,
            chatgpt_account_id=new.chatgpt_account_id,
            usage_url=new.usage_url,
            is_demo=new.is_demo,
        )
        .on_conflict_do_nothing(index_elements=[accounts.c.name])
        .returning(accounts.c.account_id)
    )
    account_id: str | None = (await connection.execute(statement)).scalar_one_or_none()
    if account_id is None:
        raise AccountNameTaken(f"an account named {new.name!r} exists: remove it first, or choose another name")
    return account_id


async def ensure_demo_account(connection: AsyncConnection, demo: NewAccount, box: SecretBox) -> bool:
    """Make `demo` the one account, or leave it out where a real one exists; True where it now serves."""
    await _lock_accounts(connection)
    await connection.execute(delete(accounts).where(accounts.c.is_demo))
    if (await connection.execute(select(exists(select(accounts.c.account_id))))).scalar_one():
        return False
    await add_account(connection, demo, box)
    return True


async def remove_account(connection: AsyncConnection, account_id: str) -> bool:
    """Remove an account with its secrets; its request logs stay. False where it was gone already."""
    gone = await connection.execute(delete(accounts).where(accounts.c.account_id == account_id))
    return gone.rowcount == 1


async def move_account(
    connection: AsyncConnection,
    account_id: str,
    state: AccountState,
    *,
    until: datetime | None = None,
    reason: str = "",
    token_version: int | None = None,
) -> bool:
    """Move an account along `TRANSITIONS`; False where it is not in a state that may be left that way.

    A limit only replaces an earlier end. With `token_version`, only while that token pair is the stored one.
    """
    statement = (
        update(accounts)
        .where(accounts.c.account_id == account_id, accounts.c.state.in_(TRANSITIONS[state]))
        .values(state=state, until=until, state_reason=reason, update_time=func.now())
    )
    if until is not None:
        statement = statement.where((accounts.c.until.is_(None)) | (accounts.c.until < until))
    if token_version is not None:
        statement = statement.where(accounts.c.token_version == token_version)
    return (await connection.execute(statement)).rowcount == 1


async def store_tokens(
    connection: AsyncConnection, account_id: str, tokens: Credentials, box: SecretBox, *, expected_version: int
) -> bool:
    """Replace a token pair if `expected_version` is still the stored one, and count its version up.

    A new pair ends `reauth_required`, which another process may have concluded from the pair it replaces.
    """
    was_refused = accounts.c.state == AccountState.REAUTH_REQUIRED
    statement = (
        update(accounts)
        .where(accounts.c.account_id == account_id, accounts.c.token_version == expected_version)
        .values(
            sealed_credentials=box.seal(tokens),
            token_version=accounts.c.token_version + 1,
            state=case((was_refused, AccountState.ACTIVE), else_=accounts.c.state),
            state_reason=case((was_refused, ""), else_=accounts.c.state_reason),
            update_time=func.now(),
        )
    )
    return (await connection.execute(statement)).rowcount == 1


async def insert_request_logs(connection: AsyncConnection, rows: Sequence[RequestLogRow]) -> None:
    """Add rows and, by the table's triggers, their totals. A batch may be sent again.

    A row whose id is there already is left as it is, but for a count that has grown.
    """
    latest = {row.request_log_id: row for row in sorted(rows, key=lambda row: row.count)}
    if latest:
        await connection.execute(INSERT_ROWS, {"rows": [_values(row) for row in latest.values()]})


async def _lock_accounts(connection: AsyncConnection) -> None:
    """One at a time decides whether the demo account is still wanted; readers are not held up."""
    await connection.execute(text("LOCK TABLE proxy.accounts IN SHARE ROW EXCLUSIVE MODE"))


def _values(row: RequestLogRow) -> dict[str, object]:
    """The row as JSON, in which what is not said is null."""
    values = {name: _storable(getattr(row, name)) for name in ROW_FIELDS if name not in ("attempts", "start_time")}
    values["start_time"] = row.start_time.isoformat()
    values["attempts"] = [
        {name: _storable(getattr(attempt, name)) for name in ATTEMPT_FIELDS} for attempt in row.attempts
    ]
    return values


def _storable(value: object) -> object:
    """The value with texts that Postgres can hold, at any depth."""
    match value:
        case str():
            return storable(value, TEXT_CHARACTERS_MAX)
        case Mapping():
            return {_storable(key): _storable(item) for key, item in value.items()}
        case list() | tuple():
            return [_storable(item) for item in value]
        case _:
            return value
