"""Conservation over the whole ledger, in one statement: what windows hold is what reservations say they hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from quotad.store import statements
from quotad.store.connections import CONNECT_SECONDS_MAX
from quotad.store.failures import translated


@dataclass(frozen=True, slots=True)
class Difference:
    """A window row that does not add up."""

    tenant_id: str
    limit_id: str
    window_start: datetime
    held: int
    held_by_reservations: int
    used: int
    charged_to_reservations: int
    """What its finalized reservations were charged, with what purged ones were."""


async def differences(database_url: str) -> list[Difference]:
    """Every window row that breaks conservation, from one snapshot; none in a sound ledger."""
    with translated():
        connection = await asyncpg.connect(database_url, timeout=CONNECT_SECONDS_MAX)
        try:
            rows = await connection.fetch(statements.AUDIT_WINDOWS)
        finally:
            await connection.close()
    return [Difference(**dict(row)) for row in rows]
