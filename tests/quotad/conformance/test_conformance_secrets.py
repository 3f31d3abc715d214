"""Secrets that were replaced: good for their grace, and afterwards still to settle by."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quotad.errors import ApiKeyDisabled
from quotad.values import Scope, Subject
from tests.quotad.conformance.ledger import Key, Ledger


async def rotated(key: Key, grace_seconds: float) -> str:
    """The secret that replaces the key's own."""
    admin = key.ledger.admin
    return (await admin.rotate_api_key(key.api_key.api_key_id, grace=timedelta(seconds=grace_seconds))).secret


async def test_both_secrets_reserve_during_the_grace(ledger: Ledger) -> None:
    key = await ledger.key()
    old = Subject(api_key=key.secret)
    await key.reserve("before", subject=old)
    new = Subject(api_key=await rotated(key, 600))
    await key.reserve("old", subject=old)
    await key.reserve("new", subject=new)
    assert (await key.reserve("before", subject=new)).replayed
    assert await key.counters() == [(0, 30)]


async def test_a_replaced_secret_reserves_no_more_after_its_grace(ledger: Ledger) -> None:
    key = await ledger.key()
    old = Subject(api_key=key.secret)
    await key.reserve("a", subject=old)
    new = Subject(api_key=await rotated(key, 600))
    await key.reserve("b", subject=old)
    await ledger.pass_time(601)
    with pytest.raises(ApiKeyDisabled):
        await key.reserve("c", subject=old)
    await key.reserve("c", subject=new)


async def test_without_a_grace_a_replaced_secret_ends_at_once(ledger: Ledger) -> None:
    key = await ledger.key()
    old = Subject(api_key=key.secret)
    await key.reserve("a", subject=old)
    await rotated(key, 0)
    with pytest.raises(ApiKeyDisabled):
        await key.reserve("b", subject=old)


async def test_a_replaced_secret_still_settles_and_names_its_reservations(ledger: Ledger) -> None:
    key = await ledger.key()
    for name in ("a", "b"):
        await key.reserve(name, subject=Subject(api_key=key.secret), lease=timedelta(hours=1))
    await rotated(key, 0)
    await ledger.pass_time(60)
    old = Scope(api_key=key.secret)
    assert (await key.finalize("a", 7, scope=old)).changed
    assert (await key.release("b", old)).changed
    assert (await ledger.transport.get_reservation(old, key.id("a"))).actual["total_tokens"] == 7
    assert await key.counters() == [(7, 0)]


async def test_a_repeat_by_a_replaced_secret_is_still_the_first_grant(ledger: Ledger) -> None:
    """The id is looked up before the key's state."""
    key = await ledger.key()
    old = Subject(api_key=key.secret)
    await key.reserve("r", subject=old)
    await rotated(key, 0)
    assert (await key.reserve("r", subject=old)).replayed
