"""Protection against requests that another site's page makes in the operator's name."""

from __future__ import annotations

import hmac

from starlette.requests import Request

from dashboard.auth.sessions import Session
from dashboard.errors import CrossOrigin, CsrfFailed

HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES = frozenset({"same-origin", "none"})
"""Values of Sec-Fetch-Site: this page, or the operator's own doing, such as a bookmark."""


def require(request: Request, session: Session) -> None:
    """Raise `CsrfFailed` unless the header carries the session's token."""
    given = request.headers.get(HEADER, "")
    if not hmac.compare_digest(given.encode(), session.csrf_token.encode()):
        raise CsrfFailed


def require_same_origin(request: Request) -> None:
    """Raise `CrossOrigin` when a browser names another origin; callers that are no browser name none."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in OWN_SITES:
        raise CrossOrigin
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2].lower() != request.headers.get("host", "").lower():
        raise CrossOrigin
