"""What the request log can be filtered by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Executable, Select, false, literal, or_, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.records.log_filters import parts, plan_by_values, row_conditions, total_conditions
from proxy.records.log_search import search
from proxy.records.log_spans import Part
from proxy.records.request_logs import (
    OPTIONS_MAX,
    STATUSES,
    FacetFilters,
    Option,
    RequestLogOptions,
)
from proxy.records.tables import request_log_names, request_logs, request_totals

MATCHES_MAX = 1_000
"""Of free text: more show hardly any other options, and are most of the work."""

Under = Mapping[str, FacetFilters]
"""Of each facet, what its options are under."""
Values = dict[str, frozenset[str]]


async def request_log_options(connection: AsyncConnection, filters: FacetFilters) -> RequestLogOptions:
    """Each filter's values under the other filters, never under itself; for free text, those of a thousand matches."""
    await plan_by_values(connection)
    under = {
        "account_id": replace(filters, account_ids=()),
        "api_key_id": replace(filters, api_key_ids=()),
        "model": replace(filters, models=()),
        "status": filters,
    }
    values = await (_searched_values(connection, under) if filters.search else _values(connection, under))
    return RequestLogOptions(
        await _named(connection, "account", values["account_id"]),
        await _named(connection, "api_key", values["api_key_id"]),
        tuple(sorted(values["model"], key=lambda model: (model.casefold(), model)))[:OPTIONS_MAX],
        tuple(status for status in STATUSES if status in values["status"]),
    )


async def _values(connection: AsyncConnection, under: Under) -> Values:
    """From the totals, and the rows at the edges of the range."""
    found = {"api_key_id": await _keys(connection, under["api_key_id"])}
    for filters, names in _alike({name: under[name] for name in under if name != "api_key_id"}):
        selects = [_occurring(names, filters, part) for part in parts(filters, by_key=bool(filters.api_key_ids))]
        found |= await _distinct(connection, names, union(*selects) if selects else None)
    return found


def _occurring(names: Sequence[str], filters: FacetFilters, part: Part) -> Select[Any]:
    if part.span_seconds is None:
        columns, conditions = request_logs.c, row_conditions(filters, part.low, part.high)
    else:
        columns, conditions = request_totals.c, total_conditions(filters, part, by_key=bool(filters.api_key_ids))
    return select(*(columns[name] for name in names)).where(*conditions).distinct()


async def _keys(connection: AsyncConnection, filters: FacetFilters) -> frozenset[str]:
    """The keys that occur: they are many in each day, and it is quicker to look for each of those that there are."""
    known = request_log_names.c
    occurrences = []
    for part in parts(filters, by_key=True):
        if part.span_seconds is None:
            column, conditions = request_logs.c.api_key_id, row_conditions(filters, part.low, part.high)
        else:
            column, conditions = request_totals.c.api_key_id, total_conditions(filters, part, by_key=True)
        occurrences.append(select(literal(1)).where(column == known.id, *conditions).exists())
    query = select(known.id).where(known.kind == "api_key", or_(false(), *occurrences))
    return frozenset((await connection.execute(query)).scalars())


async def _searched_values(connection: AsyncConnection, under: Under) -> Values:
    found: dict[str, frozenset[str]] = {}
    for filters, names in _alike(under):
        matching = await search(connection, filters, MATCHES_MAX)
        query = None
        if matching.count:
            # In no order: the extent is where the newest matches are, and to sort them would cost the most.
            columns = [request_logs.c[name] for name in names]
            some = matching.select(columns, matching.extent).limit(MATCHES_MAX).subquery()
            query = select(some).distinct()
        found |= await _distinct(connection, names, query)
    return found


def _alike(under: Under) -> Iterable[tuple[FacetFilters, tuple[str, ...]]]:
    """The facets that are asked for under the same filters, which one question answers."""
    return [
        (filters, tuple(name for name in under if under[name] == filters)) for filters in dict.fromkeys(under.values())
    ]


async def _distinct(connection: AsyncConnection, names: Sequence[str], query: Executable | None) -> Values:
    """What occurs in each column of the query's rows."""
    rows = [] if query is None else (await connection.execute(query)).all()
    return {name: frozenset(row[index] for row in rows) - {None} for index, name in enumerate(names)}


async def _named(connection: AsyncConnection, kind: str, ids: Iterable[str]) -> tuple[Option, ...]:
    """The values with their newest names, sorted by these."""
    names = request_log_names.c
    found = await connection.execute(select(names.id, names.name).where(names.kind == kind, names.id.in_(list(ids))))
    known = {row.id: row.name for row in found}
    options = (Option(value, known.get(value, value)) for value in ids)
    return tuple(sorted(options, key=lambda option: (option.name.casefold(), option.id)))[:OPTIONS_MAX]
