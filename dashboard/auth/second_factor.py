"""One-time passwords and recovery codes: setting up, verifying, turning off.

A set-up belongs to the session that began it and is forgotten after a while; nothing changes before its first code was
shown. Verifying a code lets a session through and never moves its end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from dashboard.audit import Change, note, operator_at
from dashboard.auth import factors, recovery, totp
from dashboard.auth.attempts import count_attempt, forgive_attempts
from dashboard.auth.proof import GivenCode, check_code, code_limits, matching_step, spend_code
from dashboard.auth.sessions import Caller, Session, mark_totp_verified, unmark_totp_verified
from dashboard.errors import (
    NotSignedIn,
    TotpConfigured,
    TotpNotConfigured,
    TotpRequired,
    TotpSetupMissing,
    WrongCode,
)
from dashboard.services import Services

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Setup:
    """A secret that waits for its first code."""

    secret: str = field(repr=False)
    otpauth_uri: str = field(repr=False)
    qr_svg: str = field(repr=False)
    expire_time: datetime


async def begin_setup(services: Services, session: Session, account: str) -> Setup:
    """Make a secret; what this session had begun before is forgotten. Raises `TotpConfigured`."""
    if session.is_totp_on:
        raise TotpConfigured
    secret = totp.new_secret()
    sealed = services.sealer.seal(secret.encode())
    async with services.database.transaction() as connection:
        seconds = services.settings.totp_setup_seconds
        expire_time = await factors.put_setup(connection, session, sealed, seconds)
    uri = totp.otpauth_uri(secret, account)
    return Setup(secret, uri, totp.qr_svg(uri), expire_time)


async def confirm_setup(services: Services, session: Session, code: str, caller: Caller) -> tuple[str, ...]:
    """Turn one-time passwords on with the first code; returns the recovery codes. Every other session owes a code.

    Raises `TotpConfigured`, `TotpSetupMissing`, `TooManyAttempts` or `WrongCode`.
    """
    if session.is_totp_on:
        raise TotpConfigured
    async with services.database.transaction() as connection:
        await count_attempt(connection, caller.address, code_limits(services))
        setup = await factors.get_setup(connection, session)
        if setup is None:
            raise TotpSetupMissing
    step = matching_step(services, setup, code)
    if step is None:
        raise WrongCode
    async with services.database.transaction() as connection:
        if not await factors.add_totp(connection, setup.sealed_secret, step):
            raise TotpConfigured
        await factors.delete_setups(connection)
        await unmark_totp_verified(connection)
        await _mark(connection, session)
        await forgive_attempts(connection, caller.address, code_limits(services))
        codes = await _replace_codes(connection)
        await note(connection, operator_at(session, caller), Change("create", "totp"))
    log.info("one-time passwords turned on", session=session.short_id, address=caller.address)
    return codes


async def verify(services: Services, session: Session, given: GivenCode, caller: Caller) -> None:
    """Let the session through. Raises what `check_code` and `spend_code` raise."""
    code = await check_code(services, given, caller)
    async with services.database.transaction() as connection:
        await spend_code(services, connection, code, session, caller)
        await _mark(connection, session)
    log.info("code verified", session=session.short_id, address=caller.address)


async def turn_off(services: Services, session: Session, given: GivenCode, caller: Caller) -> None:
    """Turn one-time passwords off.

    Checked in this order: a session, which began with the password; anything to turn off; a session that has shown a
    code; one more code. Raises `TotpNotConfigured`, `TotpRequired`, and what `check_code` and `spend_code` raise.
    """
    if not session.is_totp_on:
        raise TotpNotConfigured
    if session.is_totp_due:
        raise TotpRequired
    code = await check_code(services, given, caller)
    async with services.database.transaction() as connection:
        await spend_code(services, connection, code, session, caller)
        await _mark(connection, session)
        await factors.delete_totp(connection)
        await unmark_totp_verified(connection)
        await note(connection, operator_at(session, caller), Change("delete", "totp"))
    log.info("one-time passwords turned off", session=session.short_id, address=caller.address)


async def renew_recovery_codes(services: Services, session: Session, caller: Caller) -> tuple[str, ...]:
    """Ten other recovery codes; those that there were work no more. Raises `TotpNotConfigured`."""
    async with services.database.transaction() as connection:
        if await factors.get_totp(connection) is None:
            raise TotpNotConfigured
        codes = await _replace_codes(connection)
        await note(connection, operator_at(session, caller), Change("rotate", "recovery_codes"))
    log.info("recovery codes renewed", session=session.short_id, address=caller.address)
    return codes


async def _replace_codes(connection: AsyncConnection) -> tuple[str, ...]:
    codes = recovery.new_codes()
    await factors.replace_recovery_codes(connection, [recovery.hash_of(code) for code in codes])
    return codes


async def _mark(connection: AsyncConnection, session: Session) -> None:
    if not await mark_totp_verified(connection, session):
        raise NotSignedIn
