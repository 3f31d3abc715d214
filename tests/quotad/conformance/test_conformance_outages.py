"""A database that is away: said at once, and nothing is lost or held twice when it is back."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable

import pytest

from quotad.client.types import Grant
from quotad.core.operations import Finalize, Reserve
from quotad.errors import Unavailable
from quotad.values import Scope, Subject
from tests.quotad.conformance.conftest import TRANSPORTS
from tests.quotad.conformance.transport import Transport
from tests.support.daemons import DATA_TOKEN, Daemon
from tests.support.waiting import eventually


@pytest.fixture(params=TRANSPORTS)
async def caller(request: pytest.FixtureRequest, daemon: Daemon) -> AsyncIterator[Transport]:
    """Every transport, to a daemon of the test's own."""
    caller = TRANSPORTS[request.param](daemon.address, DATA_TOKEN)
    yield caller
    await caller.close()


def unless_away(caller: Transport, operation: Reserve) -> Callable[[], object]:
    async def reserved() -> Grant | None:
        try:
            return await caller.reserve(operation)
        except Unavailable:
            return None

    return reserved


async def test_what_cannot_be_written_is_unavailable_and_can_be_repeated(daemon: Daemon, caller: Transport) -> None:
    key = await daemon.create_key()
    subject = Subject(api_key_id=key.api_key.api_key_id)
    before, during = [Reserve(str(uuid.uuid4()), subject, "m", {"total_tokens": 10}) for _ in "ab"]
    await caller.reserve(before)
    async with daemon.database_away():
        with pytest.raises(Unavailable) as refusal:
            await caller.reserve(during)
        assert refusal.value.retry_after.total_seconds() > 0
        with pytest.raises(Unavailable):
            await caller.finalize(Finalize(Scope(), before.reservation_id, {"total_tokens": 7}))
    await eventually(unless_away(caller, during))
    assert (await caller.reserve(before)).replayed
    settlement = await caller.finalize(Finalize(Scope(), before.reservation_id, {"total_tokens": 7}))
    assert settlement.changed
    (status,) = (await caller.describe_key(subject)).limits
    assert (status.used, status.held) == (7, 10)
