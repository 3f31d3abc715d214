"""`quotad.client`, as a proxy uses it: answers leave out what the caller knows."""

from __future__ import annotations

from benchmarks.ledger.method import MODEL
from benchmarks.ledger.spec import LoadSpec
from quotad.client import QuotaClient
from quotad.client.types import LimitsView, ReservationView, Scope
from quotad.errors import Refused


class ClientCalls:
    """One client for all tasks."""

    def __init__(self, spec: LoadSpec) -> None:
        self._spec = spec
        self._client = QuotaClient(spec.target, spec.token, call_timeout_seconds=20.0, retry_seconds=30.0)
        self._view = LimitsView(spec.limits_view)
        self._api_key_ids = [spec.keys.api_key_id(number) for number in range(spec.keys.count)]
        self._scopes = [Scope(tenant_id=spec.keys.tenant_id(number)) for number in range(spec.keys.count)]

    async def reserve(self, reservation_id: str, key: int, lease_seconds: float) -> bool:
        try:
            await self._client.reserve(
                reservation_id,
                api_key_id=self._api_key_ids[key % self._spec.keys.count],
                model=MODEL,
                amounts=self._spec.amounts,
                lease_seconds=lease_seconds,
                limits_view=self._view,
                reservation_view=ReservationView.BRIEF,
            )
        except Refused:
            return False
        return True

    async def renew(self, reservation_id: str, key: int) -> None:
        scope = self._scopes[key % self._spec.keys.count]
        await self._client.renew([reservation_id], lease_seconds=self._spec.lease_seconds, scope=scope)

    async def finalize(self, reservation_id: str, key: int) -> None:
        scope = self._scopes[key % self._spec.keys.count]
        await self._client.finalize(
            reservation_id, amounts=self._spec.actual, scope=scope, reservation_view=ReservationView.BRIEF
        )

    async def close(self) -> None:
        await self._client.close()
