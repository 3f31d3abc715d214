"""What the proxy writes about requests."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.records.request_logs import AttemptRow, RequestLogRow
from proxy.records.tables import request_logs

TEXT_CHARACTERS_MAX = 2_000
"""Longest text kept per field; clients and upstreams choose these texts, and rows must stay small."""

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""Characters that JSON can carry and Postgres cannot hold."""

ROW_FIELDS = tuple(field.name for field in fields(RequestLogRow))
ATTEMPT_FIELDS = tuple(field.name for field in fields(AttemptRow))


async def insert_request_logs(connection: AsyncConnection, rows: Sequence[RequestLogRow]) -> None:
    """Add rows; a row whose id is there already is left as it is, so a batch may be sent again."""
    if not rows:
        return
    statement = insert(request_logs).on_conflict_do_nothing(index_elements=[request_logs.c.request_log_id])
    await connection.execute(statement, [_values(row) for row in rows])


def _values(row: RequestLogRow) -> dict[str, object]:
    values = {name: _storable(getattr(row, name)) for name in ROW_FIELDS if name != "attempts"}
    values["attempts"] = [
        {name: _storable(getattr(attempt, name)) for name in ATTEMPT_FIELDS} for attempt in row.attempts
    ]
    return values


def _storable(value: object) -> object:
    """The value with texts that Postgres can hold, at any depth."""
    match value:
        case str():
            return UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value[:TEXT_CHARACTERS_MAX])
        case Mapping():
            return {_storable(key): _storable(item) for key, item in value.items()}
        case list() | tuple():
            return [_storable(item) for item in value]
        case _:
            return value
