"""Check: what Reserve would answer, and nothing more."""

from __future__ import annotations

import pytest

from quotad.core.operations import Check
from quotad.errors import ApiKeyDisabled, ModelNotAllowed, QuotaExceeded, RequestExceedsLimit
from tests.quotad.conformance.ledger import Key, Ledger, limit


def checking(key: Key, tokens: int, **fields: object) -> Check:
    given = {"subject": key.subject, "model": "gpt-5", **fields}
    return Check(amounts={"total_tokens": tokens}, **given)  # type: ignore[arg-type]


async def test_a_check_tells_the_grant_and_the_limits_without_the_request(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("a", 60)
    answer = await ledger.transport.check(checking(key, 50, min_amounts={"total_tokens": 1}))
    assert answer.reserved == {"requests": 1, "concurrency": 1, "total_tokens": 40}
    assert [(status.held, status.available) for status in answer.limits] == [(60, 40)]
    assert await key.counters() == [(0, 60)]


async def test_a_check_is_refused_as_its_reserve_would_be(ledger: Ledger) -> None:
    key = await ledger.key(limit(), limit("requests", 1))
    await key.reserve("a", 60)
    with pytest.raises(QuotaExceeded) as refusal:
        await ledger.transport.check(checking(key, 50))
    with pytest.raises(QuotaExceeded) as reserve_refusal:
        await key.reserve("b", 50)
    assert refusal.value.denial.violations == reserve_refusal.value.denial.violations
    with pytest.raises(RequestExceedsLimit):
        await ledger.transport.check(checking(key, 101))


async def test_a_check_is_never_refused_by_a_lapsed_hold(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("a", 100)
    await key.lapse("a")
    assert (await ledger.transport.check(checking(key, 100))).reserved["total_tokens"] == 100


async def test_a_check_knows_the_keys_state_and_models(ledger: Ledger) -> None:
    key = await ledger.key(allowed_models=("o3",))
    with pytest.raises(ModelNotAllowed):
        await ledger.transport.check(checking(key, 1))
    await key.edit(disabled=True)
    with pytest.raises(ApiKeyDisabled):
        await ledger.transport.check(checking(key, 1, model="o3"))
