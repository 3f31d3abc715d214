"""What a daemon remembers of the ledger, so that most batches are planned without reading anything.

Nothing here is trusted: `apply_v2` verifies every row that a plan rests on. Each kind of entry has a bound; the oldest
leave first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from quotad.core.state import KeyConfig, WindowKey, WindowState
from quotad.values import Reservation, ReservationState

SHARE_MIN = 64
"""Keys or windows of one tenant that are remembered however many tenants there are: enough for its next batch."""

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class CacheBounds:
    """Entries kept at most. Keys and windows are shared out evenly among the tenants that are remembered."""

    tenants: int = 2_000
    keys: int = 20_000
    windows: int = 100_000
    reservations: int = 50_000
    secrets: int = 50_000


@dataclass(frozen=True, slots=True)
class KnownSecret:
    """Where a key's secret leads."""

    tenant_id: str
    api_key_id: str
    config_version: int
    """Of the tenant when it was looked up."""
    expire_time: datetime | None = None


@dataclass(slots=True)
class TenantCache:
    """A tenant's configuration at one version, and the windows that were seen under it."""

    config_version: int
    keys: dict[str, KeyConfig] = field(default_factory=dict)
    windows: dict[WindowKey, WindowState] = field(default_factory=dict)


class DatabaseClock:
    """The database's clock, told from the last time that it was read and the time that passed here since."""

    def __init__(self) -> None:
        self._read: datetime | None = None
        self._read_at = 0.0

    @property
    def is_known(self) -> bool:
        return self._read is not None

    def note(self, db_now: datetime) -> None:
        self._read, self._read_at = db_now, asyncio.get_running_loop().time()

    def now(self) -> datetime:
        if self._read is None:
            raise LookupError("the database's clock has not been read")
        return self._read + timedelta(seconds=asyncio.get_running_loop().time() - self._read_at)


class Cache:
    """One daemon's memory of one ledger."""

    def __init__(self, bounds: CacheBounds) -> None:
        self.clock = DatabaseClock()
        self._bounds = bounds
        self._tenants: dict[str, TenantCache] = {}
        self._open: dict[tuple[str, str], Reservation] = {}
        self._secrets: dict[bytes, KnownSecret] = {}
        self._key_tenants: dict[str, str] = {}

    def tenant(self, tenant_id: str) -> TenantCache | None:
        return self._tenants.get(tenant_id)

    def secret(self, secret_hash: bytes) -> KnownSecret | None:
        """Only while the tenant's configuration is known to be the one under which it was looked up."""
        known = self._secrets.get(secret_hash)
        if known is None:
            return None
        tenant = self._tenants.get(known.tenant_id)
        return known if tenant is not None and tenant.config_version == known.config_version else None

    def key_tenant(self, api_key_id: str) -> str | None:
        """A key never changes its tenant."""
        return self._key_tenants.get(api_key_id)

    def open_reservation(self, tenant_id: str, reservation_id: str) -> Reservation | None:
        return self._open.get((tenant_id, reservation_id))

    def note_secret(self, secret_hash: bytes, known: KnownSecret) -> None:
        _put(self._secrets, secret_hash, known, self._bounds.secrets)
        self.note_key_tenant(known.api_key_id, known.tenant_id)

    def note_key_tenant(self, api_key_id: str, tenant_id: str) -> None:
        _put(self._key_tenants, api_key_id, tenant_id, self._bounds.secrets)

    def note_keys(self, tenant_id: str, config_version: int, keys: Mapping[str, KeyConfig]) -> TenantCache:
        """Keys as they were read under one version; what was known under another one is forgotten."""
        tenant = self._tenants.get(tenant_id)
        if tenant is None or tenant.config_version != config_version:
            tenant = TenantCache(config_version)
            _put(self._tenants, tenant_id, tenant, self._bounds.tenants)
        for api_key_id, config in keys.items():
            _put(tenant.keys, api_key_id, config, self._share(self._bounds.keys))
        return tenant

    def note_windows(self, tenant: TenantCache, windows: Mapping[WindowKey, WindowState]) -> None:
        """Windows as they were seen under the tenant's configuration: their maximum is part of it."""
        share = self._share(self._bounds.windows)
        for key, window in windows.items():
            _put(tenant.windows, key, window, share)

    def note_reservations(self, tenant_id: str, reservations: Iterable[Reservation]) -> None:
        """Remember the open ones; one that is settled or expired never opens again."""
        for reservation in reservations:
            place = tenant_id, reservation.reservation_id
            if reservation.state is ReservationState.RESERVED:
                _put(self._open, place, reservation, self._bounds.reservations)
            else:
                self._open.pop(place, None)

    def _share(self, bound: int) -> int:
        return max(bound // max(len(self._tenants), 1), SHARE_MIN)

    def forget_tenant(self, tenant_id: str) -> None:
        """The configuration has changed."""
        self._tenants.pop(tenant_id, None)

    def forget_windows(self, tenant_id: str, keys: Iterable[WindowKey]) -> None:
        """They do not hold what was remembered."""
        tenant = self._tenants.get(tenant_id)
        if tenant is not None:
            for key in keys:
                tenant.windows.pop(key, None)

    def forget_reservations(self, tenant_id: str, reservation_ids: Iterable[str]) -> None:
        for reservation_id in reservation_ids:
            self._open.pop((tenant_id, reservation_id), None)


def _put(entries: dict[Key, Value], key: Key, value: Value, bound: int) -> None:
    """Set an entry; a new one beyond the bound pushes the oldest ones out."""
    if key not in entries:
        while len(entries) >= bound:
            del entries[next(iter(entries))]
    entries[key] = value
