"""One key for the secrets of all accounts: a worker with another one could read only some of them."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.records import read
from proxy.records.secrets import SecretBox


async def require_one_key(connection: AsyncConnection, box: SecretBox) -> None:
    """Raise `SecretKeyUnusable` where `box` cannot open the secrets that are stored."""
    for known in await read.list_sealed_accounts(connection):
        box.open(known.sealed_credentials)
