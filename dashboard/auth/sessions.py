"""Sessions: a random secret in a cookie, its hash in the database, where deleting the row revokes it.

The database's clock decides when a session ends.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from dashboard.tables import sessions

SECRET_BYTES = 32
SECRET_CHARACTERS_MAX = 128
"""Longer cookies are not ours and not hashed."""
SEEN_SECONDS = 60
"""Use of a session is written down at most this often."""
SHORT_ID_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class Session:
    """A session that is in force."""

    session_hash: bytes
    csrf_token: str = field(repr=False)

    @property
    def short_id(self) -> str:
        """To tell sessions apart in logs and audits; it opens nothing."""
        return self.session_hash.hex()[:SHORT_ID_CHARACTERS]


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session that has just begun, with the secret that only its cookie carries."""

    session: Session
    secret: str = field(repr=False)


def session_of_secret(secret: str) -> Session:
    """What follows from a secret alone; whether it is in force only the database knows."""
    csrf = hmac.digest(secret.encode(), b"dashboard csrf token", "sha256")
    return Session(hashlib.sha256(secret.encode()).digest(), base64.urlsafe_b64encode(csrf).rstrip(b"=").decode())


async def begin_session(connection: AsyncConnection, address: str, seconds: float) -> NewSession:
    secret = secrets.token_urlsafe(SECRET_BYTES)
    session = session_of_secret(secret)
    expire_time = func.now() + timedelta(seconds=seconds)
    row = {"session_hash": session.session_hash, "address": address, "expire_time": expire_time}
    await connection.execute(insert(sessions).values(row))
    return NewSession(session, secret)


async def find_session(connection: AsyncConnection, secret: str, idle_seconds: float) -> Session | None:
    """The session of this secret, if it is in force; being found keeps it from idling out."""
    if not 0 < len(secret) <= SECRET_CHARACTERS_MAX:
        return None
    session = session_of_secret(secret)
    is_it = sessions.c.session_hash == session.session_hash
    stale = sessions.c.seen_time <= func.now() - timedelta(seconds=SEEN_SECONDS)
    found = await connection.execute(select(stale).where(is_it, ~_has_ended(idle_seconds)))
    row = found.one_or_none()
    if row is None:
        return None
    if row[0]:
        await connection.execute(update(sessions).where(is_it).values(seen_time=func.now()))
    return session


async def end_session(connection: AsyncConnection, session: Session) -> None:
    await connection.execute(delete(sessions).where(sessions.c.session_hash == session.session_hash))


async def end_all_sessions(connection: AsyncConnection) -> None:
    await connection.execute(delete(sessions))


async def purge_sessions(connection: AsyncConnection, idle_seconds: float) -> None:
    """Delete the rows of sessions that have ended."""
    await connection.execute(delete(sessions).where(_has_ended(idle_seconds)))


def _has_ended(idle_seconds: float) -> ColumnElement[bool]:
    idle_since = func.now() - timedelta(seconds=idle_seconds)
    return or_(sessions.c.expire_time <= func.now(), sessions.c.seen_time <= idle_since)
