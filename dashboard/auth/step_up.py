"""Proof again: what is dangerous needs a password or a code that was shown a short while ago, not hours.

A route that is dangerous takes `SteppedUp` instead of `SessionNeeded`, or names `STEPPED_UP` where it needs no session;
the page asks and repeats the request by itself.
"""

from __future__ import annotations

from typing import Annotated

import structlog
from fastapi import Depends

from dashboard.auth.attempts import forgive_attempts
from dashboard.auth.proof import GivenCode, check_password, password_limits
from dashboard.auth.second_factor import verify
from dashboard.auth.sessions import Caller, Session, mark_password_verified
from dashboard.errors import InvalidInput, NotSignedIn, StepUpRequired
from dashboard.services import Services, ServicesNeeded, SessionNeeded

log = structlog.get_logger(__name__)


def require_step_up(services: ServicesNeeded, session: SessionNeeded) -> Session:
    """Raise `StepUpRequired` unless the session has shown password or code a short while ago."""
    if session.confirmed_seconds_ago > services.settings.step_up_seconds:
        raise StepUpRequired
    return session


STEPPED_UP = Depends(require_step_up)
SteppedUp = Annotated[Session, STEPPED_UP]


async def step_up(services: Services, session: Session, password: str | None, given: GivenCode, caller: Caller) -> None:
    """Take the password or a code as proof. Raises `InvalidInput`, and what each of the two raises."""
    if password is None:
        await verify(services, session, given, caller)
        return
    if given != GivenCode(None):
        raise InvalidInput("Send either the password or a code.", field="password")
    await check_password(services, password, caller)
    async with services.database.transaction() as connection:
        if not await mark_password_verified(connection, session):
            raise NotSignedIn
        await forgive_attempts(connection, caller.address, password_limits(services))
    log.info("password shown again", session=session.short_id, address=caller.address)
