"""The client for whoever enforces quota: all calls of the data plane, and a reservation as a block."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import uuid_utils

from quotad.client.connection import Connection
from quotad.client.data import DataClient
from quotad.client.held import Endings, Held
from quotad.client.settling import SettlingClient
from quotad.values import Amounts, Scope


class QuotaClient(DataClient, SettlingClient):
    """Data plane of one ledger; make it in the event loop that uses it, and close it.

    Every call is bounded, and repeated with the same id while its outcome is unknown. It raises the errors of
    `quotad.errors`, or `OutcomeUnknown`.
    """

    def __init__(
        self,
        addresses: str | Sequence[str],
        token: str,
        *,
        call_timeout_seconds: float = 5.0,
        retry_seconds: float = 10.0,
        tls_ca: Path | None = None,
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
        coalesce: bool = True,
    ) -> None:
        """With `coalesce`, what many tasks ask at the same time travels in few messages."""
        connection = Connection(
            addresses,
            token,
            call_timeout_seconds=call_timeout_seconds,
            retry_seconds=retry_seconds,
            tls_ca=tls_ca,
            tls_cert=tls_cert,
            tls_key=tls_key,
            coalesce=coalesce,
        )
        super().__init__(connection)
        self._endings = Endings()
        self._closing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let settlements under way end, then close the channels, which a caller that is cancelled does not stop."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        await self._endings.wait()
        await self._connection.close()

    def reservation(
        self,
        *,
        api_key: str | None = None,
        api_key_id: str | None = None,
        model: str,
        amounts: Amounts,
        min_amounts: Amounts | None = None,
        lease_seconds: float | None = None,
        labels: Mapping[str, str] | None = None,
        reservation_id: str | None = None,
    ) -> Held:
        """Hold room for a block: `async with client.reservation(...) as held: ... await held.finalize(amounts)`."""
        reservation_id = reservation_id or str(uuid_utils.uuid7())
        reserve = partial(
            self.reserve,
            reservation_id,
            api_key=api_key,
            api_key_id=api_key_id,
            model=model,
            amounts=amounts,
            min_amounts=min_amounts,
            lease_seconds=lease_seconds,
            labels=labels,
        )
        scope = Scope(api_key=api_key, api_key_id=api_key_id)
        return Held(
            self, self, self._endings, reserve, reservation_id=reservation_id, scope=scope, lease_seconds=lease_seconds
        )
