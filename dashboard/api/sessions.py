"""The operator's sessions: where one is signed in, and ending it there."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, status

from dashboard.api.schema import Answer, FilterText, Moment
from dashboard.audit import Change, note, operator_at
from dashboard.auth.sessions import list_sessions, revoke_other_sessions, revoke_session
from dashboard.errors import ResourceNotFound
from dashboard.services import CallerKnown, ServicesNeeded, SessionNeeded

router = APIRouter(prefix="/api/auth/sessions", tags=["auth"])


class OperatorSession(Answer):
    """A session in force."""

    session_id: str
    """Names it in the audit log, too; it opens nothing."""
    address: str
    """Where it was begun."""
    user_agent: str
    """What the browser said it is."""
    create_time: Moment
    seen_time: Moment
    """Its last use, to within a minute."""
    expire_time: Moment
    totp_verified: bool
    is_current: bool
    """The one that asks."""


class OperatorSessions(Answer):
    """All sessions, the latest first."""

    sessions: list[OperatorSession]


class SessionsEnded(Answer):
    """How many sessions ended."""

    ended: int


@router.get("")
async def list_operator_sessions(services: ServicesNeeded, session: SessionNeeded) -> OperatorSessions:
    """List the sessions in force."""
    async with services.database.transaction() as connection:
        found = await list_sessions(connection, services.settings.session_idle_seconds)
    return OperatorSessions(
        sessions=[
            OperatorSession(
                session_id=one.short_id,
                address=one.address,
                user_agent=one.user_agent,
                create_time=one.create_time,
                seen_time=one.seen_time,
                expire_time=one.expire_time,
                totp_verified=one.is_totp_verified,
                is_current=one.short_id == session.short_id,
            )
            for one in found
        ]
    )


@router.delete("/{sessionId}", status_code=status.HTTP_204_NO_CONTENT)
async def revoke_operator_session(
    session_id: Annotated[FilterText, Path(alias="sessionId")],
    services: ServicesNeeded,
    session: SessionNeeded,
    caller: CallerKnown,
) -> None:
    """End a session; whoever uses it has to sign in again."""
    async with services.database.transaction() as connection:
        if not await revoke_session(connection, session_id):
            raise ResourceNotFound("There is no such session, or it has ended.")
        await note(connection, operator_at(session, caller), Change("revoke", "session", session_id))


@router.post("/revoke-others")
async def revoke_other_operator_sessions(
    services: ServicesNeeded, session: SessionNeeded, caller: CallerKnown
) -> SessionsEnded:
    """End every session but this one."""
    async with services.database.transaction() as connection:
        ended = await revoke_other_sessions(connection, session)
        for session_id in ended:
            await note(connection, operator_at(session, caller), Change("revoke", "session", session_id))
    return SessionsEnded(ended=len(ended))
