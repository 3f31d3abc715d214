"""How one gets in: with the password, or, while there is none, with the bootstrap token.

Where one-time passwords are on, a session that begins so reaches nothing before it has shown a code as well
(`auth.second_factor`).
"""

from __future__ import annotations

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from dashboard.audit import Change, Facts, note, operator_at, purge_entries
from dashboard.auth.attempts import count_attempt, forgive_attempts, purge_attempts
from dashboard.auth.factors import delete_setups
from dashboard.auth.passwords import check_new_password
from dashboard.auth.proof import check_password, password_limits
from dashboard.auth.sessions import (
    USER_AGENT_CHARACTERS_MAX,
    Caller,
    NewSession,
    Session,
    begin_session,
    end_session,
    purge_sessions,
    rekey_session,
    revoke_other_sessions,
)
from dashboard.auth.store import add_first_password, get_password_hash, replace_password
from dashboard.errors import NotSignedIn, PasswordAlreadySet, WrongPassword, WrongToken
from dashboard.services import Services

log = structlog.get_logger(__name__)


async def sign_in(services: Services, password: str, caller: Caller, old: Session | None) -> NewSession:
    """A new session for the right password; `old`, which the caller had, ends.

    Raises `PasswordNotSet`, `TooManyAttempts` or `WrongPassword`.
    """
    await check_password(services, password, caller)
    async with services.database.transaction() as connection:
        if old is not None:
            await end_session(connection, old)
        new = await _begin(services, connection, caller)
    log.info("operator signed in", session=new.session.short_id, address=caller.address)
    return new


async def set_first_password(services: Services, token: str, password: str, caller: Caller) -> NewSession:
    """Set the first password and sign in. Of two at once, one wins.

    Raises `PasswordTooShort`, `PasswordTooLong`, `TooManyAttempts`, `PasswordAlreadySet` or `WrongToken`.
    """
    check_new_password(password)
    async with services.database.transaction() as connection:
        await count_attempt(connection, caller.address, password_limits(services))
        if await get_password_hash(connection) is not None:
            raise PasswordAlreadySet
    if not services.bootstrap.is_right(token):
        log.warning("wrong token for the first password", address=caller.address)
        raise WrongToken
    password_hash = await services.passwords.hash(password)
    async with services.database.transaction() as connection:
        if not await add_first_password(connection, password_hash):
            raise PasswordAlreadySet
        new = await _begin(services, connection, caller)
        await note(connection, operator_at(new.session, caller), Change("create", "password"))
    log.info("first password set", session=new.session.short_id, address=caller.address)
    return new


async def change_password(
    services: Services, current: str, password: str, caller: Caller, session: Session
) -> NewSession:
    """Set another password; every other session ends, and the caller's goes on under another secret.

    Raises `PasswordTooShort`, `PasswordTooLong`, `PasswordNotSet`, `TooManyAttempts` or `WrongPassword`.
    """
    check_new_password(password)
    old_hash = await check_password(services, current, caller)
    new_hash = await services.passwords.hash(password)
    async with services.database.transaction() as connection:
        if not await replace_password(connection, old_hash, new_hash):
            raise WrongPassword
        await delete_setups(connection)
        ended = await revoke_other_sessions(connection, session)
        new = await rekey_session(connection, session)
        if new is None:
            raise NotSignedIn
        await forgive_attempts(connection, caller.address, password_limits(services))
        change = Change("update", "password", after={"other_sessions_ended": len(ended)})
        await note(connection, operator_at(session, caller), change)
    log.info("password changed", session=new.session.short_id, address=caller.address)
    return new


async def _begin(services: Services, connection: AsyncConnection, caller: Caller) -> NewSession:
    settings = services.settings
    await forgive_attempts(connection, caller.address, password_limits(services))
    await purge_attempts(connection, settings.attempts_seconds)
    await purge_sessions(connection, settings.session_idle_seconds)
    await purge_entries(connection, settings.audit_retention_seconds)
    new = await begin_session(connection, caller, settings.session_seconds)
    session = new.session
    begun: Facts = {"code_due": session.is_totp_due, "user_agent": caller.user_agent[:USER_AGENT_CHARACTERS_MAX]}
    await note(connection, operator_at(session, caller), Change("create", "session", session.short_id, after=begun))
    return new
