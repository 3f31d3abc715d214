"""Request-log rows that come too fast for a row each, joined into rows that carry a count. Pure; time is the rows' own.

A key that is refused over and over, or an address that tries keys, must neither fill the log nor vanish from it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TypeVar

from proxy.errors import InvalidApiKey
from proxy.records.request_logs import RequestLogRow

Name = TypeVar("Name")
Kept = TypeVar("Kept")

SECONDS_KEPT = 10
"""A request that took longer to be refused begins another row."""
MINUTE_SECONDS = 60
IPV6_NETWORK_BITS = 64
"""What one customer has: an address of its own for each request costs nothing."""


@dataclass(slots=True)
class _Second:
    """Refusals of one second: how many each key had, and what stands for those beyond the bound."""

    refused: Counter[str | None] = field(default_factory=Counter)
    joined: dict[tuple[str | None, str | None], RequestLogRow] = field(default_factory=dict)


class Bursts:
    """What is written for a row: mostly the row itself, else the one that stands for it and for others."""

    def __init__(self, *, refusals_per_second_max: int, addresses_max: int) -> None:
        self._refusals_per_second_max = refusals_per_second_max
        self._addresses_max = addresses_max
        self._seconds: dict[int, _Second] = {}
        self._minutes: dict[int, dict[str | None, RequestLogRow]] = {}

    def joined(self, row: RequestLogRow) -> RequestLogRow:
        """The row to write, in place of any with its id; its count only grows."""
        if row.denial is not None:
            return self._refusal(row)
        if row.error_code == InvalidApiKey.code and row.api_key_id is None:
            return self._unknown_key(row)
        return row

    def _refusal(self, row: RequestLogRow) -> RequestLogRow:
        second = int(row.start_time.timestamp())
        kept = self._seconds.get(second)
        if kept is None:
            _forget(self._seconds, before=second - SECONDS_KEPT)
            kept = self._seconds[second] = _Second()
        kept.refused[row.api_key_id] += 1
        if kept.refused[row.api_key_id] <= self._refusals_per_second_max:
            return row
        return _counted(kept.joined, (row.api_key_id, row.limit_id), row)

    def _unknown_key(self, row: RequestLogRow) -> RequestLogRow:
        minute = int(row.start_time.timestamp()) // MINUTE_SECONDS
        kept = self._minutes.get(minute)
        if kept is None:
            _forget(self._minutes, before=minute - 1)
            kept = self._minutes[minute] = {}
        origin = network(row.client_address)
        if origin not in kept and len(kept) >= self._addresses_max:
            return _counted(kept, None, replace(row, client_address=None))
        return _counted(kept, origin, row)


def network(address: str | None) -> str | None:
    """Whom an address belongs to: itself, and for IPv6 its /64."""
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed.packed, IPV6_NETWORK_BITS), strict=False))


def _counted(kept: dict[Name, RequestLogRow], name: Name, row: RequestLogRow) -> RequestLogRow:
    first = kept.get(name)
    kept[name] = row if first is None else replace(first, count=first.count + 1)
    return kept[name]


def _forget(kept: dict[int, Kept], *, before: int) -> None:
    for moment in [moment for moment in kept if moment < before]:
        del kept[moment]
