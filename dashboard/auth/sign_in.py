"""How one gets in: with the password, or, while there is none, with the bootstrap token.

Each way counts an attempt in its own transaction before anything is compared, compares outside of transactions, and
gives the attempt back when it was right.
"""

from __future__ import annotations

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from dashboard.auth.attempts import AttemptLimits, count_attempt, forgive_attempts, purge_attempts
from dashboard.auth.passwords import check_new_password
from dashboard.auth.sessions import (
    NewSession,
    Session,
    begin_session,
    end_all_sessions,
    end_session,
    purge_sessions,
)
from dashboard.auth.store import add_first_password, get_password_hash, replace_password
from dashboard.errors import PasswordAlreadySet, PasswordNotSet, WrongPassword, WrongToken
from dashboard.services import Services

log = structlog.get_logger(__name__)


async def sign_in(services: Services, password: str, address: str, old: Session | None) -> NewSession:
    """A new session for the right password; `old`, which the caller had, ends.

    Raises `PasswordNotSet`, `TooManyAttempts` or `WrongPassword`.
    """
    await _check_password(services, password, address)
    async with services.database.transaction() as connection:
        if old is not None:
            await end_session(connection, old)
        new = await _begin(services, connection, address)
    log.info("operator signed in", session=new.session.short_id, address=address)
    return new


async def set_first_password(services: Services, token: str, password: str, address: str) -> NewSession:
    """Set the first password and sign in. Of two at once, one wins.

    Raises `PasswordTooShort`, `PasswordTooLong`, `TooManyAttempts`, `PasswordAlreadySet` or `WrongToken`.
    """
    check_new_password(password)
    async with services.database.transaction() as connection:
        await count_attempt(connection, address, limits_of(services))
        if await get_password_hash(connection) is not None:
            raise PasswordAlreadySet
    if not services.bootstrap.is_right(token):
        log.warning("wrong token for the first password", address=address)
        raise WrongToken
    password_hash = await services.passwords.hash(password)
    async with services.database.transaction() as connection:
        if not await add_first_password(connection, password_hash):
            raise PasswordAlreadySet
        new = await _begin(services, connection, address)
    log.info("first password set", session=new.session.short_id, address=address)
    return new


async def change_password(services: Services, current: str, password: str, address: str) -> NewSession:
    """Set another password; every session ends and the caller gets a new one.

    Raises `PasswordTooShort`, `PasswordTooLong`, `PasswordNotSet`, `TooManyAttempts` or `WrongPassword`.
    """
    check_new_password(password)
    old_hash = await _check_password(services, current, address)
    new_hash = await services.passwords.hash(password)
    async with services.database.transaction() as connection:
        if not await replace_password(connection, old_hash, new_hash):
            raise WrongPassword
        await end_all_sessions(connection)
        new = await _begin(services, connection, address)
    log.info("password changed", session=new.session.short_id, address=address)
    return new


def limits_of(services: Services) -> AttemptLimits:
    settings = services.settings
    return AttemptLimits(settings.attempts_per_address_max, settings.attempts_max, settings.attempts_seconds)


async def _check_password(services: Services, password: str, address: str) -> str:
    """The hash that the password matches."""
    async with services.database.transaction() as connection:
        await count_attempt(connection, address, limits_of(services))
        password_hash = await get_password_hash(connection)
        if password_hash is None:
            raise PasswordNotSet
    if not await services.passwords.is_right(password_hash, password):
        log.warning("wrong password", address=address)
        raise WrongPassword
    return password_hash


async def _begin(services: Services, connection: AsyncConnection, address: str) -> NewSession:
    settings = services.settings
    await forgive_attempts(connection, address)
    await purge_attempts(connection, limits_of(services))
    await purge_sessions(connection, settings.session_idle_seconds)
    return await begin_session(connection, address, settings.session_seconds)
