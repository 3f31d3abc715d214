"""Signing in and out, and the operator's password."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response, status
from pydantic import Field

from dashboard.api.schema import Answer, Input, Secret
from dashboard.auth import cookies, csrf, sign_in
from dashboard.auth.sessions import NewSession, end_session
from dashboard.auth.sessions import Session as LiveSession
from dashboard.auth.store import password_is_set
from dashboard.errors import NotSignedIn, TotpRequired
from dashboard.services import CallerKnown, Services, ServicesNeeded, SessionIfAny, SessionNeeded

router = APIRouter(prefix="/api/auth", tags=["auth"])


class Session(Answer):
    """Whether the caller is signed in, and what it needs to go on."""

    authenticated: bool
    """True once everything was shown that has to be."""
    totp_due: bool
    """The password was right; a code is due before anything else answers."""
    password_set: bool
    """False until the first password is set with the bootstrap token."""
    csrf_token: str | None
    """To be sent as X-CSRF-Token with every unsafe method."""
    proxy_url: str | None
    """Base URL of a proxy, for ready-made commands; only for who is signed in."""


class SignIn(Input):
    """The operator's password."""

    password: Secret


class PasswordChange(Input):
    """The first password with the bootstrap token, or another one with the current password."""

    new_password: Secret = Field(description="8 to 1,024 characters.")
    bootstrap_token: Secret | None = Field(default=None, description="Sets the first password.")
    current_password: Secret | None = Field(default=None, description="Changes the password; needs a session.")


@router.get("/session")
async def get_session(services: ServicesNeeded, session: SessionIfAny) -> Session:
    """Say who is asking; needs no session."""
    async with services.database.transaction() as connection:
        password_set = await password_is_set(connection)
    return session_answer(services, session, password_set=password_set)


@router.post("/login")
async def login(
    body: SignIn,
    request: Request,
    response: Response,
    services: ServicesNeeded,
    caller: CallerKnown,
    old: SessionIfAny,
) -> Session:
    """Sign in; a session that the caller had ends. Where `totpDue` is true, `/api/auth/totp/verify` comes next."""
    new = await sign_in.sign_in(services, body.password.get_secret_value(), caller, old)
    return _signed_in(services, request, response, new)


@router.post("/logout", status_code=status.HTTP_204_NO_CONTENT)
async def logout(request: Request, response: Response, services: ServicesNeeded, session: SessionNeeded) -> None:
    """End the session."""
    async with services.database.transaction() as connection:
        await end_session(connection, session)
    cookies.remove(response, request)


@router.post("/password")
async def set_password(
    body: PasswordChange,
    request: Request,
    response: Response,
    services: ServicesNeeded,
    caller: CallerKnown,
    session: SessionIfAny,
) -> Session:
    """Set the first password and sign in, or change it: then all other sessions end, and the caller's goes on."""
    new_password = body.new_password.get_secret_value()
    if body.bootstrap_token is not None:
        token = body.bootstrap_token.get_secret_value()
        new = await sign_in.set_first_password(services, token, new_password, caller)
    else:
        if session is None:
            raise NotSignedIn
        if session.is_totp_due:
            raise TotpRequired
        csrf.require(request, session)
        current = body.current_password.get_secret_value() if body.current_password else ""
        new = await sign_in.change_password(services, current, new_password, caller, session)
    return _signed_in(services, request, response, new)


def _signed_in(services: Services, request: Request, response: Response, new: NewSession) -> Session:
    cookies.put(response, request, new.secret, services.settings.session_seconds)
    return session_answer(services, new.session, password_set=True)


def session_answer(services: Services, session: LiveSession | None, *, password_set: bool = True) -> Session:
    is_through = session is not None and not session.is_totp_due
    return Session(
        authenticated=is_through,
        totp_due=session is not None and session.is_totp_due,
        password_set=password_set,
        csrf_token=session.csrf_token if session else None,
        proxy_url=(services.settings.proxy_url or None) if is_through else None,
    )
