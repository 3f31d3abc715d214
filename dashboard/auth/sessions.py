"""Sessions: a random secret in a cookie, its hash in the database, where deleting the row revokes it.

The database's clock decides when a session ends. What a session shows later, a code or the password again, never moves
its end.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, exists, func, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from dashboard.tables import sessions, totp

SECRET_BYTES = 32
SECRET_CHARACTERS_MAX = 128
"""Longer cookies are not ours and not hashed."""
SEEN_SECONDS = 60
"""Use of a session is written down at most this often."""
SHORT_ID_CHARACTERS = 12
USER_AGENT_CHARACTERS_MAX = 256


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a request comes from, as far as the connection and the caller's own word tell."""

    address: str
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """A session that is in force: begun with the password, and what it has shown since."""

    session_hash: bytes
    csrf_token: str = field(repr=False)
    is_totp_on: bool = False
    is_totp_verified: bool = False
    confirmed_seconds_ago: float = 0.0
    """Since it last showed the password or a code."""

    @property
    def is_totp_due(self) -> bool:
        """Whether it has shown the password alone where a code is needed, too."""
        return self.is_totp_on and not self.is_totp_verified

    @property
    def short_id(self) -> str:
        """To tell sessions apart in lists, logs and audits; it opens nothing."""
        return self.session_hash.hex()[:SHORT_ID_CHARACTERS]


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session that has just begun, with the secret that only its cookie carries."""

    session: Session
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ListedSession:
    """A session as the operator sees it."""

    short_id: str
    address: str
    user_agent: str
    create_time: datetime
    seen_time: datetime
    expire_time: datetime
    is_totp_verified: bool


def hash_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def csrf_token_of(secret: str) -> str:
    """Follows from the secret, and tells nothing about it."""
    csrf = hmac.digest(secret.encode(), b"dashboard csrf token", "sha256")
    return base64.urlsafe_b64encode(csrf).rstrip(b"=").decode()


async def begin_session(connection: AsyncConnection, caller: Caller, seconds: float) -> NewSession:
    """A session that has shown the password just now."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    session_hash = hash_of(secret)
    row = {
        "session_hash": session_hash,
        "address": caller.address,
        "user_agent": caller.user_agent[:USER_AGENT_CHARACTERS_MAX],
        "expire_time": func.now() + timedelta(seconds=seconds),
    }
    await connection.execute(insert(sessions).values(row))
    is_totp_on = bool(await connection.scalar(select(exists(select(totp)))))
    return NewSession(Session(session_hash, csrf_token_of(secret), is_totp_on=is_totp_on), secret)


async def find_session(connection: AsyncConnection, secret: str, idle_seconds: float) -> Session | None:
    """The session of this secret, if it is in force; being found keeps it from idling out."""
    if not 0 < len(secret) <= SECRET_CHARACTERS_MAX:
        return None
    session_hash = hash_of(secret)
    is_it = sessions.c.session_hash == session_hash
    confirmed = func.greatest(sessions.c.password_time, sessions.c.totp_time)
    wanted = select(
        (sessions.c.seen_time <= func.now() - timedelta(seconds=SEEN_SECONDS)).label("is_stale"),
        exists(select(totp)).label("is_totp_on"),
        sessions.c.totp_time.is_not(None).label("is_totp_verified"),
        func.extract("epoch", func.now() - confirmed).label("confirmed_seconds_ago"),
    )
    row = (await connection.execute(wanted.where(is_it, ~_has_ended(idle_seconds)))).one_or_none()
    if row is None:
        return None
    if row.is_stale:
        await connection.execute(update(sessions).where(is_it).values(seen_time=func.now()))
    return Session(
        session_hash,
        csrf_token_of(secret),
        is_totp_on=row.is_totp_on,
        is_totp_verified=row.is_totp_verified,
        confirmed_seconds_ago=float(row.confirmed_seconds_ago),
    )


async def rekey_session(connection: AsyncConnection, session: Session) -> NewSession | None:
    """Give the session another secret and note that it has shown the password; None where it was revoked meanwhile."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    rekeying = update(sessions).where(sessions.c.session_hash == session.session_hash)
    changed = await connection.execute(rekeying.values(session_hash=hash_of(secret), password_time=func.now()))
    if changed.rowcount == 0:
        return None
    same = replace(session, session_hash=hash_of(secret), csrf_token=csrf_token_of(secret), confirmed_seconds_ago=0.0)
    return NewSession(same, secret)


async def mark_totp_verified(connection: AsyncConnection, session: Session) -> bool:
    """Note that the session has shown a code; False where it was revoked meanwhile."""
    return await _mark(connection, session, sessions.c.totp_time)


async def mark_password_verified(connection: AsyncConnection, session: Session) -> bool:
    """Note that the session has shown the password again; False where it was revoked meanwhile."""
    return await _mark(connection, session, sessions.c.password_time)


async def unmark_totp_verified(connection: AsyncConnection) -> None:
    """What sessions have shown of one secret says nothing about the next."""
    await connection.execute(update(sessions).values(totp_time=None))


async def list_sessions(connection: AsyncConnection, idle_seconds: float) -> list[ListedSession]:
    """Those in force, the latest first."""
    wanted = select(
        _short_id().label("short_id"),
        sessions.c.address,
        sessions.c.user_agent,
        sessions.c.create_time,
        sessions.c.seen_time,
        sessions.c.expire_time,
        sessions.c.totp_time.is_not(None).label("is_totp_verified"),
    )
    found = await connection.execute(
        wanted.where(~_has_ended(idle_seconds)).order_by(sessions.c.create_time.desc(), sessions.c.session_hash)
    )
    return [ListedSession(**row) for row in found.mappings()]


async def revoke_session(connection: AsyncConnection, short_id: str) -> bool:
    """False where there is no such session."""
    return (await connection.execute(delete(sessions).where(_short_id() == short_id))).rowcount > 0


async def revoke_other_sessions(connection: AsyncConnection, session: Session) -> list[str]:
    """End all but this one; returns their short ids."""
    others = delete(sessions).where(sessions.c.session_hash != session.session_hash)
    return list((await connection.execute(others.returning(_short_id()))).scalars())


async def is_in_force(connection: AsyncConnection, session_hash: bytes, idle_seconds: float) -> bool:
    """Whether a session goes on; to ask does not keep it from idling out."""
    is_it = sessions.c.session_hash == session_hash
    found = await connection.execute(select(literal(1)).where(is_it, ~_has_ended(idle_seconds)))
    return found.first() is not None


async def end_session(connection: AsyncConnection, session: Session) -> None:
    await connection.execute(delete(sessions).where(sessions.c.session_hash == session.session_hash))


async def end_all_sessions(connection: AsyncConnection) -> None:
    await connection.execute(delete(sessions))


async def purge_sessions(connection: AsyncConnection, idle_seconds: float) -> None:
    """Delete the rows of sessions that have ended."""
    await connection.execute(delete(sessions).where(_has_ended(idle_seconds)))


async def _mark(connection: AsyncConnection, session: Session, column: ColumnElement[datetime]) -> bool:
    marking = update(sessions).where(sessions.c.session_hash == session.session_hash).values({column: func.now()})
    return (await connection.execute(marking)).rowcount == 1


def _short_id() -> ColumnElement[str]:
    return func.left(func.encode(sessions.c.session_hash, "hex"), SHORT_ID_CHARACTERS)


def _has_ended(idle_seconds: float) -> ColumnElement[bool]:
    idle_since = func.now() - timedelta(seconds=idle_seconds)
    return or_(sessions.c.expire_time <= func.now(), sessions.c.seen_time <= idle_since)
