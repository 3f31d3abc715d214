"""`quotad.client`, as its users call it."""

from __future__ import annotations

from datetime import timedelta

from quotad.client import QuotaClient
from quotad.client.types import Checked, Grant, Renewal, Settlement
from quotad.core.operations import Check, Finalize, Release, Renew, Reserve
from quotad.values import KeyDescription, Reservation, Scope, Subject

RETRY_SECONDS = 1.5
"""Longer than anything takes that succeeds at all; a test of an outage waits for it."""


class Client:
    """Operations as the client's calls."""

    def __init__(self, address: str, token: str) -> None:
        self._client = QuotaClient(address, token, retry_seconds=RETRY_SECONDS)

    async def close(self) -> None:
        await self._client.close()

    async def reserve(self, operation: Reserve) -> Grant:
        return await self._client.reserve(
            operation.reservation_id,
            api_key=operation.subject.api_key,
            api_key_id=operation.subject.api_key_id,
            model=operation.model,
            amounts=operation.amounts,
            min_amounts=operation.min_amounts,
            lease_seconds=_seconds(operation.lease),
            labels=operation.labels,
            limits_view=operation.limits_view,
        )

    async def renew(self, operation: Renew) -> tuple[Renewal, ...]:
        lease_seconds = _seconds(operation.lease)
        return await self._client.renew(operation.reservation_ids, lease_seconds=lease_seconds, scope=operation.scope)

    async def finalize(self, operation: Finalize) -> Settlement:
        return await self._client.finalize(
            operation.reservation_id,
            amounts=operation.amounts,
            basis=operation.basis,
            scope=operation.scope,
            allow_unreserved=operation.allow_unreserved,
            model=operation.model,
            age_seconds=operation.age.total_seconds(),
            labels=operation.labels,
        )

    async def release(self, operation: Release) -> Settlement:
        return await self._client.release(operation.reservation_id, reason=operation.reason, scope=operation.scope)

    async def get_reservation(self, scope: Scope, reservation_id: str) -> Reservation:
        return await self._client.get_reservation(reservation_id, scope=scope)

    async def check(self, operation: Check) -> Checked:
        return await self._client.check(
            api_key=operation.subject.api_key,
            api_key_id=operation.subject.api_key_id,
            model=operation.model,
            amounts=operation.amounts,
            min_amounts=operation.min_amounts,
            limits_view=operation.limits_view,
        )

    async def describe_key(self, subject: Subject) -> KeyDescription:
        return await self._client.describe_key(api_key=subject.api_key, api_key_id=subject.api_key_id)


def _seconds(lease: timedelta | None) -> float | None:
    return None if lease is None else lease.total_seconds()
