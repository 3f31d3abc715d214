"""How often a password, token or code may be tried: counted in the database, so that replicas share the count.

An attempt is counted before it is checked and given back when it was right; so at no moment can more be under way
than are allowed.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, case, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from dashboard.errors import TooManyAttempts
from dashboard.tables import attempt_windows as windows

IPV6_PREFIX = 64
"""One household or machine: single addresses within it cost nothing."""


class Guessed(StrEnum):
    """What is tried. Each is counted by itself: a right password must not give wrong codes back."""

    PASSWORD = ""
    CODE = "code "


@dataclass(frozen=True, slots=True)
class AttemptLimits:
    """How many attempts at one thing a window of this length admits."""

    per_address_max: int
    overall_max: int
    seconds: float
    guessed: Guessed = Guessed.PASSWORD

    @property
    def overall(self) -> str:
        """The scope of the one account, wherever attempts come from."""
        return f"{self.guessed}all"

    def scope_of(self, address: str) -> str:
        return f"{self.guessed}{scope_of(address)}"


def scope_of(address: str) -> str:
    """What counts as one place: an IPv4 address, an IPv6 network, or whatever the server calls the caller."""
    try:
        ip = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    except ValueError:
        return f"address {address}"
    if isinstance(ip, ipaddress.IPv4Address):
        return f"address {ip}"
    if ip.ipv4_mapped:
        return f"address {ip.ipv4_mapped}"
    return f"address {ipaddress.ip_network((ip, IPV6_PREFIX), strict=False)}"


async def count_attempt(connection: AsyncConnection, address: str, limits: AttemptLimits) -> None:
    """Count one attempt, or raise `TooManyAttempts`, whose rollback leaves nothing counted."""
    await _count(connection, limits.scope_of(address), limits.per_address_max, limits.seconds)
    await _count(connection, limits.overall, limits.overall_max, limits.seconds)


async def forgive_attempts(connection: AsyncConnection, address: str, limits: AttemptLimits) -> None:
    """After a right one: nothing counts against the address, and one attempt less overall."""
    await connection.execute(delete(windows).where(windows.c.scope == limits.scope_of(address)))
    fewer = func.greatest(windows.c.attempts - 1, 0)
    await connection.execute(update(windows).where(windows.c.scope == limits.overall).values(attempts=fewer))


async def forget_attempts(connection: AsyncConnection) -> None:
    """Forget all of them: for who has the database."""
    await connection.execute(delete(windows))


async def purge_attempts(connection: AsyncConnection, seconds: float) -> None:
    """Delete windows that have ended, passing over those that an attempt is using right now."""
    ended = select(windows.c.scope).where(_has_ended(seconds)).with_for_update(skip_locked=True)
    await connection.execute(delete(windows).where(windows.c.scope.in_(ended)))


async def _count(connection: AsyncConnection, scope: str, attempts_max: int, seconds: float) -> None:
    ended = _has_ended(seconds)
    counting = insert(windows).values(scope=scope)
    counting = counting.on_conflict_do_update(
        index_elements=[windows.c.scope],
        set_={
            "attempts": case((ended, 1), else_=windows.c.attempts + 1),
            "start_time": case((ended, func.now()), else_=windows.c.start_time),
        },
        where=or_(ended, windows.c.attempts < attempts_max),
    )
    if await connection.scalar(counting.returning(windows.c.attempts)) is not None:
        return
    left = windows.c.start_time + timedelta(seconds=seconds) - func.now()
    wait = await connection.scalar(select(func.extract("epoch", left)).where(windows.c.scope == scope))
    raise TooManyAttempts(float(wait or 0))


def _has_ended(seconds: float) -> ColumnElement[bool]:
    return windows.c.start_time <= func.now() - timedelta(seconds=seconds)
