"""A signed-in operator before a real quotad, and traffic of a key for the operator to look at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from quotad.client.types import CreatedKey, Limit
from quotad.errors import QuotaError
from tests.dashboard.world import Dashboard, running
from tests.support.daemons import ADMIN_TOKEN, Daemon


@dataclass(frozen=True, slots=True)
class Operating:
    """Who looks, and what they look at."""

    operator: httpx2.AsyncClient
    daemon: Daemon
    dashboard: Dashboard

    async def get(self, path: str, **query: Any) -> Any:
        answer = await self.operator.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def key(self, name: str, *limits: Limit) -> CreatedKey:
        return await self.daemon.create_key(*limits, name=name)

    async def reserve(self, key: CreatedKey, reservation_id: str, **amounts: int) -> None:
        async with self.daemon.data() as client:
            await client.reserve(reservation_id, api_key=key.secret, model="gpt-5.1", amounts=amounts, lease_seconds=60)

    async def refuse(self, key: CreatedKey, reservation_id: str, **amounts: int) -> None:
        """A reservation that does not fit."""
        with pytest.raises(QuotaError):
            await self.reserve(key, reservation_id, **amounts)


@asynccontextmanager
async def operating(daemon: Daemon, database_url: str, **settings: Any) -> AsyncIterator[Operating]:
    async with (
        running(database_url, quotad_address=daemon.address, quotad_token=ADMIN_TOKEN, **settings) as dashboard,
        dashboard.signed_in() as operator,
    ):
        yield Operating(operator, daemon, dashboard)
