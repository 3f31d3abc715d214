"""What a caller's own token lets it touch, and charge."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from quotad.administration import TokenRole
from quotad.errors import CallerNotAllowed, CallerUnauthenticated
from quotad.values import Scope, Subject
from tests.quotad.conformance.conftest import Server
from tests.quotad.conformance.ledger import Key, Ledger
from tests.quotad.conformance.transport import Transport
from tests.support.waiting import eventually


@pytest.fixture
async def mine(ledger: Ledger) -> Key:
    """A key of a tenant of its own."""
    return await ledger.key(tenant_id=f"tenant-{uuid.uuid4().hex}")


@pytest.fixture
async def bound(server: Server, ledger: Ledger, mine: Key) -> AsyncIterator[Transport]:
    """The same transport, with a token for that tenant alone that may not charge what was never reserved."""
    made = await ledger.admin.create_token(
        f"bound-{uuid.uuid4().hex}", TokenRole.DATA, tenant_ids=[mine.api_key.tenant_id]
    )
    bound = type(ledger.transport)(server.address, made.secret)  # type: ignore[call-arg]

    async def is_known() -> bool:
        try:
            await bound.describe_key(mine.subject)
        except CallerUnauthenticated:
            return False
        return True

    await eventually(is_known)
    yield bound
    await bound.close()


async def test_a_token_serves_the_tenants_that_it_names(mine: Key, bound: Transport) -> None:
    await bound.reserve(mine.reserving("r", 60))
    assert (await bound.finalize(mine.finalizing("r", 25))).changed
    assert await mine.counters() == [(25, 0)]


async def test_a_token_touches_no_other_tenant_however_it_is_named(ledger: Ledger, mine: Key, bound: Transport) -> None:
    theirs = await ledger.key()
    await theirs.reserve("r", 60)
    secret = Subject(api_key=theirs.secret)
    calls = (
        bound.reserve(theirs.reserving("s")),
        bound.reserve(theirs.reserving("s", subject=secret)),
        bound.finalize(theirs.finalizing("r", 25)),
        bound.release(theirs.releasing("r", Scope(tenant_id=theirs.api_key.tenant_id))),
        bound.release(theirs.releasing("r", Scope())),
        bound.get_reservation(theirs.scope, theirs.id("r")),
        bound.describe_key(secret),
    )
    for call in calls:
        with pytest.raises(CallerNotAllowed):
            await call
    assert await theirs.counters() == [(0, 60)]


async def test_a_token_charges_what_was_never_reserved_only_where_it_may(mine: Key, bound: Transport) -> None:
    charge = mine.finalizing("u", 40, allow_unreserved=True, model="gpt-5", age=timedelta())
    with pytest.raises(CallerNotAllowed):
        await bound.finalize(charge)
    assert await mine.counters() == [(0, 0)]
    assert (await mine.finalize("u", 40, allow_unreserved=True, model="gpt-5", age=timedelta())).changed
