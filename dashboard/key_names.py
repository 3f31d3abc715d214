"""Names of keys, which quotad's records tell by their ids alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from quotad.client.admin import AdminClient
from quotad.errors import ResourceNotFound

CALLS_MAX = 8
"""Keys that are asked for at a time."""
NAMES_MAX = 10_000
"""Names that are remembered: a long export forgets them and asks again."""


class KeyNames:
    """Asks for each key once; for the length of one answer."""

    def __init__(self, admin: AdminClient) -> None:
        self._admin = admin
        self._names: dict[str, str | None] = {}
        self._turns = asyncio.Semaphore(CALLS_MAX)

    async def load(self, api_key_ids: Iterable[str]) -> None:
        """Ask for those that are not known yet. Raises what quotad raises."""
        if len(self._names) > NAMES_MAX:
            self._names.clear()
        missing = set(api_key_ids) - self._names.keys()
        await asyncio.gather(*(self._ask(api_key_id) for api_key_id in missing))

    def of(self, api_key_id: str) -> str | None:
        """The name of a key that was loaded; None where quotad does not know the key."""
        return self._names.get(api_key_id)

    async def _ask(self, api_key_id: str) -> None:
        async with self._turns:
            try:
                self._names[api_key_id] = (await self._admin.get_api_key(api_key_id)).api_key.name
            except ResourceNotFound:
                self._names[api_key_id] = None
