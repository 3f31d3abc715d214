"""What shows who it is: the password, a one-time password, a recovery code.

Each counts an attempt in its own transaction before anything is compared, compares outside of transactions, and gives
the attempt back when it was right. A code is then spent in the transaction of what it is shown for, so that both
happen or neither.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from dashboard.audit import Change, note, operator_at
from dashboard.auth import factors, recovery, totp
from dashboard.auth.attempts import AttemptLimits, Guessed, count_attempt, forgive_attempts
from dashboard.auth.sessions import Caller, Session
from dashboard.auth.store import get_password_hash
from dashboard.errors import (
    CodeSpent,
    InvalidInput,
    PasswordNotSet,
    TotpNotConfigured,
    TotpUnreadable,
    WrongCode,
    WrongPassword,
)
from dashboard.services import Services
from servicekit.sealing import OtherKey

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class GivenCode:
    """What a caller shows as its second factor: one of the two."""

    code: str | None = field(repr=False)
    recovery_code: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RightStep:
    """A code that fits, and whose step may still be unspent."""

    sealed_secret: bytes = field(repr=False)
    step: int


@dataclass(frozen=True, slots=True)
class RightRecoveryCode:
    """A recovery code that there is, and that may still be unspent."""

    code_hash: bytes = field(repr=False)


RightCode = RightStep | RightRecoveryCode


def password_limits(services: Services) -> AttemptLimits:
    settings = services.settings
    return AttemptLimits(settings.attempts_per_address_max, settings.attempts_max, settings.attempts_seconds)


def code_limits(services: Services) -> AttemptLimits:
    settings = services.settings
    return AttemptLimits(
        settings.attempts_per_address_max, settings.code_attempts_max, settings.attempts_seconds, Guessed.CODE
    )


async def check_password(services: Services, password: str, caller: Caller) -> str:
    """The hash that the password matches. Raises `PasswordNotSet`, `TooManyAttempts` or `WrongPassword`."""
    async with services.database.transaction() as connection:
        await count_attempt(connection, caller.address, password_limits(services))
        password_hash = await get_password_hash(connection)
        if password_hash is None:
            raise PasswordNotSet
    if not await services.passwords.is_right(password_hash, password):
        log.warning("wrong password", address=caller.address)
        raise WrongPassword
    return password_hash


async def check_code(services: Services, given: GivenCode, caller: Caller) -> RightCode:
    """The code as something that `spend_code` can take.

    Raises `InvalidInput`, `TooManyAttempts`, `TotpNotConfigured`, `TotpUnreadable` or `WrongCode`.
    """
    if (given.code is None) is (given.recovery_code is None):
        raise InvalidInput("Send either code or recoveryCode.", field="code")
    code_hash = recovery.hash_of(given.recovery_code or "")
    async with services.database.transaction() as connection:
        await count_attempt(connection, caller.address, code_limits(services))
        found = await factors.get_totp(connection)
        if found is None:
            raise TotpNotConfigured
        is_recovery_code = await factors.has_recovery_code(connection, code_hash)
    if given.code is not None:
        step = matching_step(services, found, given.code)
        if step is not None:
            return RightStep(found.sealed_secret, step)
    elif is_recovery_code:
        return RightRecoveryCode(code_hash)
    log.warning("wrong code", address=caller.address, recovery=given.code is None)
    raise WrongCode


async def spend_code(
    services: Services, connection: AsyncConnection, code: RightCode, session: Session, caller: Caller
) -> None:
    """Take the code, once, also of many at the same time; raises `CodeSpent`."""
    match code:
        case RightStep(sealed_secret=sealed_secret, step=step):
            is_taken = await factors.spend_step(connection, sealed_secret, step)
        case RightRecoveryCode(code_hash=code_hash):
            is_taken = await factors.spend_recovery_code(connection, code_hash)
            left = await factors.count_recovery_codes(connection)
            await note(connection, operator_at(session, caller), Change("use", "recovery_code", after={"left": left}))
        case _:
            assert_never(code)
    if not is_taken:
        log.warning("spent code", session=session.short_id, address=caller.address)
        raise CodeSpent
    await forgive_attempts(connection, caller.address, code_limits(services))


def matching_step(services: Services, sealed: factors.SealedTotp, code: str) -> int | None:
    """The step that the code fits, by the database's clock, which all dashboards share; raises `TotpUnreadable`."""
    try:
        secret = services.sealer.open(sealed.sealed_secret).decode()
    except OtherKey as exc:
        log.error("one-time passwords cannot be checked", error=str(exc))  # noqa: TRY400 (the key is wrong, not us)
        raise TotpUnreadable from exc
    return totp.matching_step(secret, code, sealed.now_seconds)
