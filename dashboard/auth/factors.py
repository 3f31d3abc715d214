"""The second factor in the database: the secret with its last step, set-ups under way, and recovery codes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from dashboard.auth.sessions import Session
from dashboard.tables import recovery_codes as codes
from dashboard.tables import totp
from dashboard.tables import totp_setups as setups

NOW_SECONDS = func.extract("epoch", func.clock_timestamp())


@dataclass(frozen=True, slots=True)
class SealedTotp:
    """A secret as it lies in the database, and the database's clock when it was read."""

    sealed_secret: bytes = field(repr=False)
    now_seconds: float


@dataclass(frozen=True, slots=True)
class FactorState:
    """What an operator may know of the second factor."""

    confirm_time: datetime | None
    """None while one-time passwords are off."""
    recovery_codes_left: int


async def get_totp(connection: AsyncConnection) -> SealedTotp | None:
    """None while one-time passwords are off."""
    row = (await connection.execute(select(totp.c.sealed_secret, NOW_SECONDS))).one_or_none()
    return None if row is None else SealedTotp(row[0], float(row[1]))


async def spend_step(connection: AsyncConnection, sealed_secret: bytes, step: int) -> bool:
    """Take a step's code, once: of many at the same time one is first, and none works for an earlier step after it."""
    is_unspent = (totp.c.sealed_secret == sealed_secret, totp.c.last_step < step)
    return (await connection.execute(update(totp).where(*is_unspent).values(last_step=step))).rowcount == 1


async def add_totp(connection: AsyncConnection, sealed_secret: bytes, step: int) -> bool:
    """Turn one-time passwords on, `step` being spent; False where they are on already."""
    adding = insert(totp).values(sealed_secret=sealed_secret, last_step=step).on_conflict_do_nothing()
    return await connection.scalar(adding.returning(totp.c.operator_id)) is not None


async def delete_totp(connection: AsyncConnection) -> bool:
    """Turn one-time passwords off, recovery codes with them; False where they were off."""
    await connection.execute(delete(codes))
    return (await connection.execute(delete(totp))).rowcount == 1


async def put_setup(connection: AsyncConnection, session: Session, sealed_secret: bytes, seconds: float) -> datetime:
    """Keep a secret until it is confirmed, instead of what this session had begun; returns when it is forgotten."""
    values = {"sealed_secret": sealed_secret, "expire_time": func.now() + timedelta(seconds=seconds)}
    putting = insert(setups).values(session_hash=session.session_hash, **values)
    putting = putting.on_conflict_do_update(index_elements=[setups.c.session_hash], set_=values)
    expire_time: datetime = (await connection.execute(putting.returning(setups.c.expire_time))).scalar_one()
    return expire_time


async def get_setup(connection: AsyncConnection, session: Session) -> SealedTotp | None:
    """What this session has begun, unless its time is over."""
    is_live = (setups.c.session_hash == session.session_hash, setups.c.expire_time > func.now())
    row = (await connection.execute(select(setups.c.sealed_secret, NOW_SECONDS).where(*is_live))).one_or_none()
    return None if row is None else SealedTotp(row[0], float(row[1]))


async def delete_setups(connection: AsyncConnection) -> None:
    await connection.execute(delete(setups))


async def replace_recovery_codes(connection: AsyncConnection, hashes: Iterable[bytes]) -> None:
    await connection.execute(delete(codes))
    await connection.execute(insert(codes), [{"code_hash": one} for one in hashes])


async def has_recovery_code(connection: AsyncConnection, code_hash: bytes) -> bool:
    """Whether there is such a code, used or not."""
    return await connection.scalar(select(codes.c.code_hash).where(codes.c.code_hash == code_hash)) is not None


async def spend_recovery_code(connection: AsyncConnection, code_hash: bytes) -> bool:
    """Take a code, once."""
    is_unspent = (codes.c.code_hash == code_hash, codes.c.use_time.is_(None))
    return (await connection.execute(update(codes).where(*is_unspent).values(use_time=func.now()))).rowcount == 1


async def get_factor_state(connection: AsyncConnection) -> FactorState:
    confirm_time = await connection.scalar(select(totp.c.create_time))
    return FactorState(confirm_time, await count_recovery_codes(connection))


async def count_recovery_codes(connection: AsyncConnection) -> int:
    """Those that are not used."""
    return await connection.scalar(select(func.count()).select_from(codes).where(codes.c.use_time.is_(None))) or 0
