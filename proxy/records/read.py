"""What is read of accounts and request logs."""

from __future__ import annotations

from dataclasses import fields, replace

from sqlalchemy import CTE, Column, ColumnElement, RowMapping, Select, Text, cast, func, literal, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.records.accounts import Account, AccountKind, AccountNotFound, AccountState, SealedAccount
from proxy.records.request_logs import (
    OPTIONS_MAX,
    SEARCH_TOTAL_MAX,
    STATUSES,
    AttemptRow,
    FacetFilters,
    ListFilters,
    Option,
    RequestLogOptions,
    RequestLogPage,
    RequestLogRow,
)
from proxy.records.tables import NEWEST_FIRST, accounts, request_logs
from proxy.records.texts import storable

ACCOUNT_COLUMNS = tuple(column for column in accounts.c if column.name not in ("sealed_credentials", "update_time"))

SEARCH_CHARACTERS_MAX = 200
ESCAPE = "/"
ROW_FIELDS = tuple(field.name for field in fields(RequestLogRow))
ROW_COLUMNS = tuple(request_logs.c[name] for name in ROW_FIELDS)


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


async def list_request_logs(
    connection: AsyncConnection, filters: ListFilters, limit: int, offset: int
) -> RequestLogPage:
    """A page, newest first, and the total, from one statement and so of one moment; also past the last page."""
    conditions = _list_conditions(filters)
    page = select(*ROW_COLUMNS).where(*conditions).order_by(*NEWEST_FIRST).limit(limit).offset(offset).subquery("page")
    matches = _matches(conditions, has_search=bool(filters.search)).cte("matches")
    statement = (
        select(matches.c.matched, *page.c)
        .select_from(matches.outerjoin(page, true()))
        .order_by(page.c.start_time.desc(), page.c.request_log_id.desc())
    )
    found = (await connection.execute(statement)).mappings().all()
    matched: int = found[0]["matched"]
    is_exact = not filters.search or matched <= SEARCH_TOTAL_MAX
    rows = tuple(_request_log_row(row) for row in found if row["request_log_id"] is not None)
    return RequestLogPage(rows, matched if is_exact else SEARCH_TOTAL_MAX, is_exact)


async def request_log_options(connection: AsyncConnection, filters: FacetFilters) -> RequestLogOptions:
    """What can be filtered by: each filter's values under the other filters, never under itself."""
    logs = request_logs.c
    account_options = await _options(connection, logs.account_id, logs.account_name, replace(filters, account_ids=()))
    key_options = await _options(connection, logs.api_key_id, logs.api_key_name, replace(filters, api_key_ids=()))
    models = await _options(connection, logs.model, logs.model, replace(filters, models=()))
    statuses = {option.id for option in await _options(connection, logs.status, logs.status, filters)}
    return RequestLogOptions(
        account_options,
        key_options,
        tuple(option.id for option in models),
        tuple(status for status in STATUSES if status in statuses),
    )


def account_from_row(row: RowMapping) -> Account:
    values = {column.name: row[column] for column in ACCOUNT_COLUMNS}
    values["kind"] = AccountKind(values["kind"])
    values["state"] = AccountState(values["state"])
    return Account(**values)


def _request_log_row(row: RowMapping) -> RequestLogRow:
    values = {name: row[name] for name in ROW_FIELDS}
    values["attempts"] = tuple(AttemptRow(**attempt) for attempt in values["attempts"])
    return RequestLogRow(**values)


def _list_conditions(filters: ListFilters) -> list[ColumnElement[bool]]:
    conditions = _conditions(filters)
    if filters.statuses:
        conditions.append(_is_any(request_logs.c.status, filters.statuses))
    return conditions


def _conditions(filters: ListFilters | FacetFilters) -> list[ColumnElement[bool]]:
    logs = request_logs.c
    chosen = (
        (logs.account_id, filters.account_ids),
        (logs.api_key_id, filters.api_key_ids),
        (logs.model, filters.models),
    )
    conditions = [_is_any(column, values) for column, values in chosen if values]
    if filters.since is not None:
        conditions.append(logs.start_time >= filters.since)
    if filters.until is not None:
        conditions.append(logs.start_time < filters.until)
    if filters.search:
        term = storable(filters.search, SEARCH_CHARACTERS_MAX)
        conditions.append(logs.search_text.contains(func.lower(_escaped(term)), escape=ESCAPE))
    return conditions


def _is_any(column: Column[str], values: tuple[str, ...]) -> ColumnElement[bool]:
    return column.in_([storable(value, len(value)) for value in values])


def _matches(conditions: list[ColumnElement[bool]], *, has_search: bool) -> Select[int]:
    """How many rows match, as `matched`; free text is counted to one above its cap and no further."""
    if not has_search:
        return select(func.count().label("matched")).select_from(request_logs).where(*conditions)
    capped = select(literal(1)).select_from(request_logs).where(*conditions).limit(SEARCH_TOTAL_MAX + 1).subquery()
    return select(func.count().label("matched")).select_from(capped)


def _escaped(term: str) -> str:
    """The term as a pattern that matches nothing but itself."""
    for special in (ESCAPE, "%", "_"):
        term = term.replace(special, ESCAPE + special)
    return term


async def _options(
    connection: AsyncConnection, column: Column[str], name: Column[str], filters: FacetFilters
) -> tuple[Option, ...]:
    """The values of a column that occur under the filters, each with its newest name."""
    is_narrow = bool(filters.search or filters.account_ids or filters.api_key_ids or filters.models)
    values = _values_of_matches(column, filters) if is_narrow else _values_of_all(column)
    newest = (
        select(func.coalesce(name, column).label("name"))
        .where(column == values.c.id, *([] if is_narrow else _conditions(filters)))
        .order_by(*NEWEST_FIRST)
        .limit(1)
        .lateral("newest")
    )
    statement = select(values.c.id, newest.c.name).select_from(values.join(newest, true())).limit(OPTIONS_MAX)
    found = (Option(row.id, row.name) for row in await connection.execute(statement))
    return tuple(sorted(found, key=lambda option: (option.name.casefold(), option.id)))


def _values_of_matches(column: Column[str], filters: FacetFilters) -> CTE:
    """The distinct values of the rows that match, by reading them all."""
    conditions = (column.is_not(None), *_conditions(filters))
    return select(column.label("id")).where(*conditions).distinct().cte("facet_values")


def _values_of_all(column: Column[str]) -> CTE:
    """The distinct values of the table, by reading one index entry for each: they are few among millions of rows."""
    first = select(column.label("id")).where(column.is_not(None)).order_by(column).limit(1)
    values = first.cte("facet_values", recursive=True)
    later = select(column).where(column > values.c.id).order_by(column).limit(1).scalar_subquery()
    return values.union_all(select(later).where(values.c.id.is_not(None)))
