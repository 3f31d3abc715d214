"""Edits bind every Reserve that starts after they were acknowledged; what is open settles against the rows it holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from quotad.errors import (
    ApiKeyDisabled,
    ApiKeyUnknown,
    EtagMismatch,
    ModelNotAllowed,
    QuotaExceeded,
    RequestExceedsLimit,
)
from quotad.values import ReservationState, Scope, Subject
from tests.quotad.conformance.ledger import Key, Ledger, limit, shadow


async def test_a_lowered_limit_binds_the_next_reserve_and_leaves_what_is_held(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("a", 60)
    await key.edit(limits=(limit(max_value=50),))
    with pytest.raises(QuotaExceeded) as refusal:
        await key.reserve("b", 1)
    (violation,) = refusal.value.denial.violations
    assert (violation.status.limit.max_value, violation.status.held, violation.status.available) == (50, 60, 0)
    settled = (await key.finalize("a", 60)).reservation
    assert settled.holds[0].over_by == 10
    assert await key.counters() == [(60, 0)]


async def test_a_raised_limit_admits_the_next_reserve(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("a", 60)
    with pytest.raises(RequestExceedsLimit):
        await key.reserve("b", 500)
    await key.edit(limits=(limit(max_value=1000),))
    await key.reserve("b", 500)
    assert await key.counters() == [(0, 560)]


async def test_a_limit_that_was_added_counts_from_then_on(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("a", 60)
    await key.edit(limits=(limit(), limit("requests", 1)))
    await key.reserve("b", 1)
    with pytest.raises(QuotaExceeded):
        await key.reserve("c", 1)
    await key.finalize("a", 5)
    assert await key.counters() == [(5, 1), (0, 1)]


async def test_a_removed_limit_no_longer_binds_and_still_takes_what_it_admitted(ledger: Ledger) -> None:
    key = await ledger.key(limit(), limit("requests", 1))
    await key.reserve("a", 60)
    await key.edit(limits=(limit(),))
    await key.reserve("b", 1)
    settled = (await key.finalize("a", 25)).reservation
    assert [(hold.metric, hold.charged) for hold in settled.holds] == [("total_tokens", 25), ("requests", 1)]
    assert await key.counters() == [(25, 1)]


async def test_a_removed_limit_comes_back_with_its_id_and_counters(ledger: Ledger) -> None:
    key = await ledger.key()
    (before,) = (await key.reserve("a", 60)).limits
    await key.edit(limits=())
    await key.finalize("a", 25)
    await key.reserve("unlimited", 10**9)
    await key.edit(limits=(limit(max_value=30),))
    (after,) = await key.statuses()
    assert (after.limit.limit_id, after.used, after.held) == (before.limit.limit_id, 25, 0)
    with pytest.raises(QuotaExceeded):
        await key.reserve("b", 6)


async def test_a_limit_with_another_window_or_model_is_another_limit(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("a", 60)
    await key.edit(limits=(limit(seconds=7200), limit(model_pattern="gpt-5*")))
    assert await key.counters() == [(0, 0), (0, 0)]
    await key.reserve("b", 100)
    await key.edit(limits=(limit(),))
    assert await key.counters() == [(0, 60)]


async def test_a_limit_keeps_its_counters_when_it_becomes_a_shadow_and_back(ledger: Ledger) -> None:
    enforced = limit(seconds=7200)
    key = await ledger.key(enforced)
    await key.reserve("a", 60)
    await key.edit(limits=(shadow("total_tokens", 100),))
    await key.reserve("b", 100)
    assert await key.counters() == [(0, 160)]
    await key.edit(limits=(enforced,))
    with pytest.raises(QuotaExceeded):
        await key.reserve("c", 1)


async def test_an_edit_of_the_models_binds_the_next_reserve(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("a", model="gpt-5")
    await key.edit(allowed_models=("o3",))
    with pytest.raises(ModelNotAllowed):
        await key.reserve("b", model="gpt-5")
    await key.finalize("a", 5)


async def test_a_stale_edit_is_refused(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.edit(etag=key.api_key.etag, limits=(limit(max_value=50),))
    with pytest.raises(EtagMismatch):
        await key.edit(etag=key.api_key.etag, limits=(limit(max_value=500),))
    (status,) = await key.statuses()
    assert status.limit.max_value == 50


async def disable(key: Key) -> None:
    await key.edit(disabled=True)


async def expire(key: Key) -> None:
    await key.edit(expire_time=datetime(2020, 1, 1, tzinfo=UTC))


async def delete(key: Key) -> None:
    await key.delete()


ENDINGS = pytest.mark.parametrize("end", [disable, expire, delete])


@ENDINGS
async def test_a_key_that_ended_reserves_and_renews_no_more(ledger: Ledger, end: object) -> None:
    key = await ledger.key()
    await key.reserve("a")
    await end(key)  # type: ignore[operator]
    with pytest.raises(ApiKeyDisabled):
        await key.reserve("b")
    with pytest.raises(ApiKeyDisabled):
        await key.reserve("b", subject=Subject(api_key=key.secret))
    (renewal,) = await key.renew("a", seconds=600)
    assert isinstance(renewal.error, ApiKeyDisabled)
    assert await key.counters() == [(0, 10)]


@ENDINGS
async def test_a_key_that_ended_still_settles_by_its_secret(ledger: Ledger, end: object) -> None:
    key = await ledger.key()
    await key.reserve("a", 10)
    await key.reserve("b", 10)
    await key.reserve("c", 10)
    await key.lapse("c")
    await end(key)  # type: ignore[operator]
    secret = Scope(api_key=key.secret)
    assert (await key.finalize("a", 7, scope=secret)).changed
    assert (await key.release("b", secret)).changed
    assert (await key.finalize("c", 5, scope=secret)).reservation.late
    assert (await ledger.transport.get_reservation(secret, key.id("a"))).state is ReservationState.FINALIZED
    assert await key.counters() == [(12, 0)]


@ENDINGS
async def test_a_key_that_ended_is_still_charged_for_what_it_never_reserved(ledger: Ledger, end: object) -> None:
    key = await ledger.key()
    await end(key)  # type: ignore[operator]
    await key.finalize("u", 40, allow_unreserved=True, model="gpt-5", age=timedelta())
    assert await key.counters() == [(40, 0)]


async def test_a_key_that_expires_later_is_refused_from_that_moment_on(ledger: Ledger) -> None:
    key = await ledger.key()
    now = (await key.reserve("a")).server_time
    await key.edit(expire_time=now + timedelta(minutes=10))
    await key.reserve("b")
    await ledger.pass_time(601)
    with pytest.raises(ApiKeyDisabled):
        await key.reserve("c")


async def test_a_key_that_was_enabled_again_reserves_and_renews(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("a")
    await key.edit(disabled=True)
    (refused,) = await key.renew("a", seconds=600)
    assert isinstance(refused.error, ApiKeyDisabled)
    await key.edit(disabled=False)
    (renewed,) = await key.renew("a", seconds=600)
    assert renewed.error is None
    await key.reserve("b")


async def test_a_key_that_never_was_is_unknown(ledger: Ledger) -> None:
    key = await ledger.key()
    for subject in (Subject(api_key="sk-quota-wrong"), Subject(api_key_id="key_wrong")):
        with pytest.raises(ApiKeyUnknown):
            await key.reserve("r", subject=subject)
        with pytest.raises(ApiKeyUnknown):
            await ledger.transport.describe_key(subject)
    with pytest.raises(ApiKeyUnknown):
        await key.finalize("r", 1, scope=Scope(api_key_id="key_wrong"))
