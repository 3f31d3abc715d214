"""A real ledger, and a delivery that brings it settlements."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from uuid_utils import uuid7

from proxy.config import ProxySettings
from proxy.settlement.decision import Charge, Decision, Terms
from proxy.settlement.delivery import Delivery
from proxy.settlement.messages import PendingSettlement
from proxy.settlement.owner import Claim
from proxy.settlement.segments import replay
from quotad.client.connection import Connection
from quotad.client.quota_client import QuotaClient
from quotad.client.types import Amounts, Basis, CreatedKey, OnMissingUsage, Reservation, Scope
from servicekit.journal import Entry
from tests.proxy.metering.tariffs import UNKNOWN, tariff
from tests.support.daemons import DATA_TOKEN, Daemon, limit, quotad

MODEL = "gpt-5.1"
HELD = {"input_tokens": 100, "output_tokens": 400, "total_tokens": 500}


def charge(total_tokens: int) -> Charge:
    return Charge({"input_tokens": 0, "output_tokens": total_tokens, "total_tokens": total_tokens}, Basis.REPORTED)


def kept(outbox_dir: Path) -> dict[str, Entry]:
    """What is open in all outboxes."""
    directories = sorted(path.parent for path in outbox_dir.glob("*/lock"))
    return {entry.entry_id: entry for directory in directories for entry in replay(directory).entries}


@dataclass(slots=True)
class Ledger:
    """A daemon with one key, a client of its own, and a delivery under test."""

    daemon: Daemon
    key: CreatedKey
    client: QuotaClient
    delivery: Delivery
    outbox_dir: Path

    @property
    def scope(self) -> Scope:
        return Scope(api_key_id=self.key.api_key.api_key_id)

    async def reserve(self, amounts: Amounts = HELD) -> str:
        reservation_id = str(uuid7())
        await self.client.reserve(reservation_id, api_key=self.key.secret, model=MODEL, amounts=amounts)
        return reservation_id

    async def read(self, reservation_id: str) -> Reservation:
        return await self.client.get_reservation(reservation_id)

    async def used(self) -> int:
        description = await self.client.describe_key(api_key_id=self.key.api_key.api_key_id)
        return sum(status.used for status in description.limits)

    def pending(self, reservation_id: str, decision: Decision) -> PendingSettlement:
        return PendingSettlement(reservation_id, self.scope, MODEL, datetime.now(UTC), HELD, decision)

    def claim(self, reservation_id: str) -> Claim:
        terms = Terms(HELD, OnMissingUsage.RELEASE, bytes_per_token=3, tariff=tariff(UNKNOWN))
        return Claim(reservation_id, self.scope, MODEL, datetime.now(UTC), terms)


@asynccontextmanager
async def delivering(
    address: str, outbox_dir: Path, token: str = DATA_TOKEN, **settings: Any
) -> AsyncIterator[Delivery]:
    given = {"settle_retry_seconds_max": 0.2, "settle_stop_seconds": 5.0, "outbox_adopt_seconds": 0.1} | settings
    async with (
        Connection(address, token, call_timeout_seconds=1.0, retry_seconds=1.0) as connection,
        Delivery(connection, ProxySettings(outbox_dir=outbox_dir, **given)) as delivery,
    ):
        yield delivery


@asynccontextmanager
async def open_ledger(database_url: str, outbox_dir: Path) -> AsyncIterator[Ledger]:
    async with quotad(database_url) as daemon:
        key = await daemon.create_key(limit(max_value=1_000_000))
        async with daemon.data() as client, delivering(daemon.address, outbox_dir) as delivery:
            yield Ledger(daemon, key, client, delivery, outbox_dir)
