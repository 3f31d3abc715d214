"""The operator's password in the database."""

from __future__ import annotations

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from dashboard.tables import operator


async def password_is_set(connection: AsyncConnection) -> bool:
    return await get_password_hash(connection) is not None


async def get_password_hash(connection: AsyncConnection) -> str | None:
    """None until the first password is set."""
    return await connection.scalar(select(operator.c.password_hash))


async def add_first_password(connection: AsyncConnection, password_hash: str) -> bool:
    """False where a password is set already: of two that set it at once, one wins."""
    adding = upsert(operator).values(password_hash=password_hash).on_conflict_do_nothing()
    return await connection.scalar(adding.returning(operator.c.operator_id)) is not None


async def replace_password(connection: AsyncConnection, old_hash: str, new_hash: str) -> bool:
    """False where the password is no longer the one that `old_hash` was checked against."""
    replacing = (
        update(operator)
        .where(operator.c.password_hash == old_hash)
        .values(password_hash=new_hash, update_time=func.now())
    )
    return (await connection.execute(replacing)).rowcount == 1


async def put_password(connection: AsyncConnection, password_hash: str) -> None:
    """Set the password whatever it was: for who has the database."""
    new = upsert(operator).values(password_hash=password_hash)
    changed = {"password_hash": new.excluded.password_hash, "update_time": func.now()}
    await connection.execute(new.on_conflict_do_update(index_elements=[operator.c.operator_id], set_=changed))
