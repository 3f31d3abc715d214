"""Tenants: ids, keys and counters of one are nothing to another."""

from __future__ import annotations

import uuid

import pytest

from quotad.errors import InvalidRequest, ReservationFenced, ReservationNotFound
from quotad.values import ReservationState, Scope, Subject
from tests.quotad.conformance.ledger import Key, Ledger


@pytest.fixture
async def pair(ledger: Ledger) -> tuple[Key, Key]:
    """Keys of two tenants, which use the same reservation ids."""
    mine, theirs = [await ledger.key(tenant_id=f"tenant-{uuid.uuid4().hex}") for _ in "ab"]
    theirs.prefix = mine.prefix
    return mine, theirs


async def test_one_id_stands_for_a_reservation_in_each_tenant(pair: tuple[Key, Key]) -> None:
    mine, theirs = pair
    await mine.reserve("r", 60)
    assert not (await theirs.reserve("r", 30, model="another")).replayed
    await mine.finalize("r", 25)
    assert (await theirs.read("r")).state is ReservationState.RESERVED
    assert (await mine.counters(), await theirs.counters()) == ([(25, 0)], [(0, 30)])


async def test_another_tenants_reservation_is_never_found(pair: tuple[Key, Key]) -> None:
    mine, theirs = pair
    await mine.reserve("r", 60)
    with pytest.raises(ReservationNotFound):
        await theirs.read("r")
    with pytest.raises(ReservationNotFound):
        await theirs.finalize("r", 25)
    (renewal,) = await theirs.renew("r", seconds=600)
    assert isinstance(renewal.error, ReservationNotFound)
    assert await mine.counters() == [(0, 60)]


async def test_a_release_in_one_tenant_fences_nothing_in_another(pair: tuple[Key, Key]) -> None:
    mine, theirs = pair
    await theirs.release("r")
    await mine.reserve("r", 60)
    with pytest.raises(ReservationFenced):
        await theirs.reserve("r", 60)


async def test_a_scope_names_the_tenant_by_name_by_key_and_by_secret(pair: tuple[Key, Key]) -> None:
    mine, _ = pair
    grant = await mine.reserve("r", 60, subject=Subject(api_key=mine.secret))
    assert grant.reservation.tenant_id == mine.api_key.tenant_id
    for scope in (Scope(tenant_id=mine.api_key.tenant_id), mine.scope, Scope(api_key=mine.secret)):
        found = await mine.ledger.transport.get_reservation(scope, mine.id("r"))
        assert found == grant.reservation


async def test_without_a_scope_an_unknown_id_may_be_another_tenants(pair: tuple[Key, Key]) -> None:
    """A tombstone in the wrong tenant would fence nothing."""
    mine, _ = pair
    await mine.reserve("r", 60)
    for call in (mine.release("r", Scope()), mine.finalize("r", 25, scope=Scope())):
        with pytest.raises(InvalidRequest) as refusal:
            await call
        assert refusal.value.field == "scope"
    with pytest.raises(InvalidRequest):
        await mine.ledger.transport.get_reservation(Scope(), mine.id("r"))
    assert await mine.counters() == [(0, 60)]


async def test_without_a_scope_a_known_id_is_the_default_tenants(ledger: Ledger, pair: tuple[Key, Key]) -> None:
    key = await ledger.key()
    await key.reserve("r", 60)
    assert (await key.finalize("r", 25, scope=Scope())).changed
    assert (await ledger.transport.get_reservation(Scope(), key.id("r"))).api_key_id == key.api_key.api_key_id


@pytest.mark.parametrize("tenant_id", ["", "a b", "x" * 129])
async def test_a_tenant_of_the_wrong_form_is_named(ledger: Ledger, tenant_id: str) -> None:
    key = await ledger.key()
    with pytest.raises(InvalidRequest) as refusal:
        await key.release("r", Scope(tenant_id=tenant_id))
    assert refusal.value.field == "tenant_id"
