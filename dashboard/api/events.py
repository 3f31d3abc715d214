"""Server-sent events: which kinds of data have changed. A page reads those again, and nothing else is sent.

Events are `hello` with all kinds at the start, `changed` with some, `heartbeat` while there are none, and `ended`,
the last one, after which the page asks who it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from fastapi.sse import EventSourceResponse, ServerSentEvent

from dashboard.api.schema import NO_OTHER_ANSWER, Answer
from dashboard.auth.sessions import is_in_force
from dashboard.errors import DatabaseUnavailable
from dashboard.live import Kind, Listener
from dashboard.services import Services, ServicesNeeded, SessionNeeded

router = APIRouter(prefix="/api/events", tags=["events"])

RECONNECT_MILLISECONDS = 3000


class Changed(Answer):
    """What to read again."""

    kinds: list[Kind]


class Ended(Answer):
    """Why nothing more comes."""

    reason: Literal["session", "stopping"]


async def listen(services: ServicesNeeded) -> AsyncIterator[Listener]:
    async with services.live.listening() as listener:
        yield listener


@router.get("", response_class=EventSourceResponse, responses=NO_OTHER_ANSWER)
async def stream_events(
    listener: Annotated[Listener, Depends(listen)], services: ServicesNeeded, session: SessionNeeded
) -> AsyncIterator[ServerSentEvent]:
    """Tell which kinds of data change, until the session ends or the service stops."""
    yield ServerSentEvent(event="hello", data=Changed(kinds=list(Kind)), retry=RECONNECT_MILLISECONDS)
    while True:
        kinds = await listener.take(services.settings.event_heartbeat_seconds)
        if listener.is_over:
            yield ServerSentEvent(event="ended", data=Ended(reason="stopping"))
            return
        if kinds:
            yield ServerSentEvent(event="changed", data=Changed(kinds=kinds))
            continue
        if not await _may_go_on(services, session.session_hash):
            yield ServerSentEvent(event="ended", data=Ended(reason="session"))
            return
        yield ServerSentEvent(event="heartbeat", data=Changed(kinds=[]))


async def _may_go_on(services: Services, session_hash: bytes) -> bool:
    """Whether the session is in force. While the database is away nobody can tell, and nothing is read either."""
    try:
        async with services.database.transaction() as connection:
            return await is_in_force(connection, session_hash, services.settings.session_idle_seconds)
    except DatabaseUnavailable:
        return True
