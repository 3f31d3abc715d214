"""A signed-in operator before a real quotad, and short forms of what tests ask of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.dashboard.world import Dashboard, running
from tests.support.daemons import ADMIN_TOKEN, Daemon, quotad

LIMIT = {"metric": "total_tokens", "window": "day", "maxValue": 1000, "modelPattern": "gpt-5*"}


@dataclass(frozen=True, slots=True)
class Keys:
    """A signed-in operator and the quotad behind."""

    operator: httpx2.AsyncClient
    daemon: Daemon
    dashboard: Dashboard

    async def create(self, **fields: Any) -> dict[str, Any]:
        answer = await self.operator.post("/api/api-keys", json={"name": "alice", "limits": [LIMIT], **fields})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def get(self, api_key_id: str) -> dict[str, Any]:
        answer = await self.operator.get(f"/api/api-keys/{api_key_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def patch(self, api_key_id: str, **changes: Any) -> httpx2.Response:
        return await self.operator.patch(f"/api/api-keys/{api_key_id}", json=changes)

    async def create_group(self, name: str, **fields: Any) -> dict[str, Any]:
        answer = await self.operator.post("/api/groups", json={"name": name, **fields})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def use(self, secret: str, reservation_id: str, total_tokens: int, model: str = "gpt-5.1") -> None:
        """Hold and charge, as a proxy does for one request."""
        amounts = {"total_tokens": total_tokens}
        async with self.daemon.data() as client:
            await client.reserve(reservation_id, api_key=secret, model=model, amounts=amounts, lease_seconds=60)
            await client.finalize(reservation_id, amounts=amounts)


def tokens_by_model(usage: dict[str, Any]) -> dict[str, int]:
    return {each["model"]: each["amount"] for each in usage["models"] if each["metric"] == "total_tokens"}


@asynccontextmanager
async def operating(database_url: str) -> AsyncIterator[Keys]:
    async with (
        quotad(database_url) as daemon,
        running(database_url, quotad_address=daemon.address, quotad_token=ADMIN_TOKEN) as dashboard,
        dashboard.signed_in() as operator,
    ):
        yield Keys(operator, daemon, dashboard)
