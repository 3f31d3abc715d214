"""All limits of a tenant with their status, the fullest or the next to reset first."""

from __future__ import annotations

import uuid

from quotad.core.state import Placed, Rule, limit_status
from quotad.core.validation import check_id
from quotad.errors import InvalidRequest
from quotad.records import LimitOrder, Page
from quotad.store import statements_records as statements
from quotad.store.configuration_rows import Row, limit_from, owner_from
from quotad.store.connections import Connections
from quotad.store.pages import check_page_size, page_token, read_page_token
from quotad.values import LimitStatus

FIRST_PLACE = (float("-inf"), str(uuid.UUID(int=0)))


class Limits:
    """The limits of all tenants, to be read; `Keys` edits them."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def list(
        self, tenant_id: str, order: LimitOrder, page_size: int, token: str, api_key_id: str = ""
    ) -> Page[LimitStatus]:
        """A limit that moves in the order between two pages may be on both, or on neither."""
        check_id("tenant_id", tenant_id)
        check_page_size(page_size)
        rank, limit_id = read_page_token(token, FIRST_PLACE)
        try:
            behind = uuid.UUID(str(limit_id))
        except ValueError as exc:
            raise InvalidRequest("page_token", "this is no page token of this list") from exc
        async with self._connections.acquire() as connection:
            rows = await connection.fetch(
                statements.LIST_LIMITS, tenant_id, api_key_id, order.value, float(rank), behind, page_size + 1
            )
        last = rows[page_size - 1] if len(rows) > page_size else None
        next_token = page_token(last["rank"], str(last["limit_id"])) if last else ""
        return Page(tuple(_status_from(row) for row in rows[:page_size]), next_token)


def _status_from(row: Row) -> LimitStatus:
    rule = Rule(limit_from(row), owner_from(row), row["create_time"])
    if row["window_start"] is None:
        return limit_status(rule.placed(row["now"]), 0, 0)
    placed = Placed(rule, (rule.limit.limit_id, row["window_start"]), row["reset_time"])
    return limit_status(placed, row["used"], row["held"])
