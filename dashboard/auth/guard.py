"""Who gets past: below `/api`, nobody without a session that has shown all it must, except to sign in.

A pure ASGI layer around the routes, so that a new route is behind it without anyone's doing, and so that no body is
read of a caller who may not send one.
"""

from __future__ import annotations

import asyncio

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.auth import cookies, csrf
from dashboard.auth.sessions import Session, find_session
from dashboard.errors import BodyNotJson, BodyTooLarge, DashboardError, LengthRequired, NotSignedIn, TotpRequired
from dashboard.failures import error_response
from dashboard.services import services_of

OPEN = frozenset({("GET", "/api/auth/session"), ("POST", "/api/auth/login"), ("POST", "/api/auth/password")})
"""What answers without a session, to sign in or to set the first password."""
TOTP_DUE = frozenset({("POST", "/api/auth/logout"), ("POST", "/api/auth/totp/verify")})
"""All that answers besides to a session that has shown the password and not yet a code."""


class Guard:
    """Admits requests for `/api`; leaves the session that it found, or None, in `request.state.session`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_api(scope["path"]):
            try:
                await _admit(Request(scope))
            except DashboardError as exc:
                await error_response(exc)(scope, receive, send)
                return
            if scope["method"] not in csrf.SAFE_METHODS:
                receive = within(services_of(Request(scope)).settings.body_seconds_max, receive)
        await self._app(scope, receive, send)


def is_api(path: str) -> bool:
    return path == "/api" or path.startswith("/api/")


async def _admit(request: Request) -> None:
    is_safe = request.method in csrf.SAFE_METHODS
    if not is_safe:
        csrf.require_same_origin(request)
        check_body(request, services_of(request).settings.body_bytes_max)
    session = request.state.session = await _find_session(request)
    if (request.method, request.scope["path"]) in OPEN:
        return
    if session is None:
        raise NotSignedIn
    if session.is_totp_due and (request.method, request.scope["path"]) not in TOTP_DUE:
        raise TotpRequired
    if not is_safe:
        csrf.require(request, session)


def within(seconds: float, receive: Receive) -> Receive:
    """`receive` for a body that must have arrived `seconds` from now."""
    deadline = asyncio.get_running_loop().time() + seconds

    async def receive_in_time() -> Message:
        try:
            async with asyncio.timeout_at(deadline):
                return await receive()
        except TimeoutError as exc:
            raise HTTPException(408) from exc

    return receive_in_time


def check_body(request: Request, bytes_max: int) -> None:
    """Refuse, by its headers alone, a body that is not JSON, is too large, or does not say how large it is."""
    if "transfer-encoding" in request.headers:
        raise LengthRequired
    length = int(request.headers.get("content-length") or 0)
    if length > bytes_max:
        raise BodyTooLarge(bytes_max)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if length and media_type != "application/json":
        raise BodyNotJson


async def _find_session(request: Request) -> Session | None:
    secret = cookies.read(request)
    if secret is None:
        return None
    services = services_of(request)
    async with services.database.transaction() as connection:
        return await find_session(connection, secret, services.settings.session_idle_seconds)
