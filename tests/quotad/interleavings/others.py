"""Who else is there while sessions meet: holders of rows that they need, and whoever ends their connections."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import asyncpg

from tests.quotad.interleavings.scene import Scene, Stage
from tests.quotad.interleavings.scheduler import Session

Others = Callable[[Scene, list[Session]], Sequence[Session]]

HOLD_RESERVATION = "SELECT FROM quotad.reservations WHERE tenant_id = $1 AND reservation_id = $2 FOR UPDATE"
HOLD_RESERVATION_TO_COME = (
    "INSERT INTO quotad.reservations (tenant_id, reservation_id, state) VALUES ($1, $2, 'pending')"
)
HOLD_WINDOW = """
SELECT FROM quotad.windows AS w JOIN quotad.limits AS l USING (tenant_id, limit_id)
WHERE tenant_id = $1 AND l.api_key_id = $2 AND l.metric = $3 FOR UPDATE OF w
"""


def holders(
    stage: Stage, *, reservations: Sequence[str] = (), to_come: Sequence[str] = (), windows: Sequence[str] = ()
) -> Others:
    """One for each row, so that a session stops at every row which it takes and they let go in every order.

    `reservations` are there, those `to_come` are not; `windows` are named by their metric.
    """

    def make(scene: Scene, _sessions: list[Session]) -> list[Session]:
        rows = [
            *((f"row {name}", HOLD_RESERVATION, (scene.id_of(name),)) for name in reservations),
            *((f"row {name}", HOLD_RESERVATION_TO_COME, (scene.id_of(name),)) for name in to_come),
            *((f"window {metric}", HOLD_WINDOW, (scene.api_key_id, metric)) for metric in windows),
        ]
        return [
            _holder(stage.others[number], name, statement, (scene.tenant_id, *arguments))
            for number, (name, statement, arguments) in enumerate(rows)
        ]

    return make


def terminator(stage: Stage, target: int = 0) -> Others:
    """Ends the database session of one of the sessions, once."""

    def make(_scene: Scene, sessions: list[Session]) -> list[Session]:
        async def act(session: Session) -> None:
            await session.stop("terminate")
            await stage.others[-1].execute("SELECT pg_terminate_backend($1, 5000)", sessions[target].pid)

        return [Session("terminator", act)]

    return make


def together(*all_others: Others) -> Others:
    return lambda scene, sessions: [session for others in all_others for session in others(scene, sessions)]


def _holder(
    connection: asyncpg.Connection[asyncpg.Record], name: str, statement: str, arguments: tuple[str, ...]
) -> Session:
    async def act(session: Session) -> None:
        session.pid = connection.get_server_pid()
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(statement, *arguments)
        await session.stop("let go")
        await transaction.rollback()

    return Session(name, act)
