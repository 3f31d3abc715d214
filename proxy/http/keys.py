"""What a key's owner configured, as the proxy needs it before it reserves. Only Reserve enforces."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from proxy.errors import InvalidApiKey, QuotaUnavailable
from quotad import errors as quota_errors
from quotad.client.types import KeyDescription, OutcomeUnknown


class DescribesKeys(Protocol):
    """The one call of `quotad.client.data.DataClient` that is needed here."""

    async def describe_key(self, *, api_key: str | None = None) -> KeyDescription: ...


@dataclass(frozen=True, slots=True)
class _Known:
    description: KeyDescription
    read_at: float


class KeyDirectory:
    """Descriptions of keys, kept for seconds by the SHA-256 of the secret. Unknown keys are not kept.

    `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        client: DescribesKeys,
        clock: Callable[[], float],
        *,
        cache_seconds: float,
        stale_seconds: float,
        keys_max: int,
    ) -> None:
        self._client = client
        self._clock = clock
        self._cache_seconds = cache_seconds
        self._stale_seconds = stale_seconds
        self._keys_max = keys_max
        self._is_away_until = 0.0
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._reading: dict[bytes, asyncio.Task[KeyDescription]] = {}

    async def defaults(self, secret: str) -> KeyDescription:
        """A description at most `cache_seconds` old, `stale_seconds` while quotad is away.

        However many ask, a key is read once at a time. Raises `InvalidApiKey` or `QuotaUnavailable`.
        """
        name = hashlib.sha256(secret.encode()).digest()
        known = self._known.get(name)
        now = self._clock()
        if known is not None and now < known.read_at + self._cache_seconds:
            return known.description
        if known is not None and now < self._is_away_until and self._is_usable(known):
            return known.description
        reading = self._reading.get(name)
        if reading is None:
            reading = asyncio.create_task(self._read(name, secret, known))
            self._reading[name] = reading
            reading.add_done_callback(lambda done: self._has_read(name, done))
        return await asyncio.shield(reading)  # a caller who leaves does not take it from the others

    async def _read(self, name: bytes, secret: str, known: _Known | None) -> KeyDescription:
        try:
            description = await self._describe(secret)
        except InvalidApiKey:
            self._known.pop(name, None)
            raise
        except QuotaUnavailable:
            self._is_away_until = self._clock() + self._cache_seconds
            if known is not None and self._is_usable(known):
                return known.description
            raise
        self._is_away_until = 0.0
        self._known[name] = _Known(description, self._clock())
        self._known.move_to_end(name)
        if len(self._known) > self._keys_max:
            self._known.popitem(last=False)
        return description

    def _has_read(self, name: bytes, reading: asyncio.Task[KeyDescription]) -> None:
        del self._reading[name]
        if not reading.cancelled():
            reading.exception()  # told to whoever still waits

    def _is_usable(self, known: _Known) -> bool:
        """While quotad is away."""
        return self._clock() < known.read_at + self._stale_seconds

    async def current(self, secret: str) -> KeyDescription:
        """The description of a key that may be used, read now; also raises `InvalidApiKey` for one that may not."""
        description = await self._describe(secret)
        key = description.api_key
        expired = key.expire_time is not None and key.expire_time <= description.server_time
        if key.disabled or key.delete_time is not None or expired:
            raise InvalidApiKey("This API key is disabled or has expired.")
        return description

    async def _describe(self, secret: str) -> KeyDescription:
        try:
            return await self._client.describe_key(api_key=secret)
        except (quota_errors.ApiKeyUnknown, quota_errors.InvalidRequest) as exc:
            raise InvalidApiKey from exc
        except quota_errors.ApiKeyDisabled as exc:
            raise InvalidApiKey("This API key is disabled or has expired.") from exc
        except (quota_errors.QuotaError, OutcomeUnknown) as exc:
            raise QuotaUnavailable from exc
