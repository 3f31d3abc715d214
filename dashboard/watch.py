"""Looks at everything that live pages show, cheaply, and says how it would look if nothing had changed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from dashboard.database import Database
from dashboard.errors import DatabaseUnavailable
from dashboard.live import Kind, Prints
from proxy.records import read
from proxy.records.log_pages import newest_request_log
from proxy.records.usage_samples import latest_by_account
from quotad.client.admin import AdminClient
from quotad.client.connection import Connection
from quotad.client.types import OutcomeUnknown
from quotad.errors import QuotaError

ACTOR = "dashboard"
ROWS = 50
"""Of each of the ledger's lists: what leads them is what pages show first."""
REFUSALS_SINCE = timedelta(minutes=2)


class Watch:
    """One look at database and quotad; where one of them is away, what it holds is left out."""

    def __init__(self, database: Database, quotad: Connection) -> None:
        self._database = database
        self._admin = AdminClient(quotad, ACTOR)

    async def look(self) -> Prints:
        of_ledger, of_proxies = await asyncio.gather(self._ledger(), self._proxies())
        return of_ledger | of_proxies

    async def _ledger(self) -> dict[Kind, object]:
        since = datetime.now(UTC) - REFUSALS_SINCE
        try:
            limits, reservations, refusals = await asyncio.gather(
                self._admin.list_limits(page_size=ROWS),
                self._admin.list_reservations(page_size=ROWS),
                self._admin.list_refusals(start_time=since, page_size=ROWS),
            )
        except (QuotaError, OutcomeUnknown):
            return {}
        return {
            Kind.LIMITS: limits.items,
            Kind.RESERVATIONS: tuple((held.reservation_id, held.expire_time) for held in reservations.reservations),
            Kind.REFUSALS: tuple((count.minute, count.limit.limit_id, count.refused) for count in refusals.items),
        }

    async def _proxies(self) -> dict[Kind, object]:
        try:
            async with self._database.transaction() as connection:
                newest = await newest_request_log(connection)
                accounts = await read.list_accounts(connection)
                usages = await latest_by_account(connection)
        except DatabaseUnavailable:
            return {}
        now = datetime.now(UTC)
        standing = tuple((account, account.state_at(now)) for account in accounts)
        return {Kind.REQUESTS: newest, Kind.ACCOUNTS: (standing, usages)}
