"""The session's cookie: out of reach of scripts and of other sites."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

NAME = "quota_dashboard_session"
TLS_NAME = f"__Host-{NAME}"
"""Browsers take this name only with Secure, for this host alone."""


def read(request: Request) -> str | None:
    return request.cookies.get(_name(request))


def put(response: Response, request: Request, secret: str, seconds: float) -> None:
    response.set_cookie(
        _name(request), secret, max_age=int(seconds), httponly=True, samesite="strict", secure=_is_secure(request)
    )


def remove(response: Response, request: Request) -> None:
    response.delete_cookie(_name(request), httponly=True, samesite="strict", secure=_is_secure(request))


def _name(request: Request) -> str:
    return TLS_NAME if _is_secure(request) else NAME


def _is_secure(request: Request) -> bool:
    """TLS here, or at a terminator that is trusted to say so."""
    return bool(request.scope["scheme"] == "https")
