"""What the routes work with; made and closed in `dashboard.app`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from dashboard.audit import operator_at
from dashboard.auth.bootstrap import BootstrapToken
from dashboard.auth.passwords import Passwords
from dashboard.auth.sessions import Caller, Session
from dashboard.config import DashboardSettings
from dashboard.database import Database
from dashboard.errors import NotSignedIn
from dashboard.live import Live
from dashboard.turns import Turns
from quotad.client.admin import AdminClient
from quotad.client.connection import Connection
from servicekit.sealing import Sealer


@dataclass(frozen=True, slots=True)
class Services:
    """The open parts of one dashboard."""

    settings: DashboardSettings
    database: Database
    quotad: Connection
    passwords: Passwords
    bootstrap: BootstrapToken
    sealer: Sealer
    export_turns: Turns
    live: Live


def services_of(request: Request) -> Services:
    return cast("Services", request.app.state.services)


def session_of(request: Request) -> Session | None:
    """The session that the guard found, if any."""
    return cast("Session | None", getattr(request.state, "session", None))


def signed_in(request: Request) -> Session:
    """The session without which the guard lets nobody here."""
    session = session_of(request)
    if session is None:
        raise NotSignedIn
    return session


def caller_of(request: Request) -> Caller:
    """Where the request comes from; a trusted terminator's word for its address was taken in before."""
    address = request.client.host if request.client else "unknown"
    return Caller(address, request.headers.get("user-agent", ""))


def actor_of(request: Request) -> str:
    """Whoever is signed in, as the logs of changes name them."""
    return operator_at(signed_in(request), caller_of(request))


def admin_client(request: Request) -> AdminClient:
    """The admin API of quotad in the name of whoever is signed in."""
    return AdminClient(services_of(request).quotad, actor_of(request))


ServicesNeeded = Annotated[Services, Depends(services_of)]
SessionNeeded = Annotated[Session, Depends(signed_in)]
SessionIfAny = Annotated["Session | None", Depends(session_of)]
CallerKnown = Annotated[Caller, Depends(caller_of)]
Admin = Annotated[AdminClient, Depends(admin_client)]
Actor = Annotated[str, Depends(actor_of)]
