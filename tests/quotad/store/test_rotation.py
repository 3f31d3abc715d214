"""Secrets that a rotation replaces: for its grace they work, and after it only to settle."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quotad.core.keys import KeyChanges
from quotad.core.operations import Check
from quotad.errors import ApiKeyDisabled, ApiKeyUnknown, EtagMismatch, InvalidRequest, ResourceNotFound
from quotad.store import Store, StoreSettings
from quotad.values import ApiKey, Scope, Subject
from tests.quotad.store.conftest import Bench, limit

HOUR = timedelta(hours=1)


async def rotate(bench: Bench, request_id: str, grace: timedelta = timedelta()) -> tuple[ApiKey, str]:
    key, secret = await bench.store.keys.rotate(request_id, "default", bench.key.api_key_id, grace)
    assert secret is not None
    return key, secret


async def test_the_secret_that_was_replaced_no_longer_reserves(bench: Bench) -> None:
    key, secret = await rotate(bench, "r1")
    assert secret.startswith(key.secret_prefix)
    assert secret != bench.secret
    await bench.reserve("with-the-other", 5, subject=Subject(api_key=secret))
    with pytest.raises(ApiKeyDisabled, match="another secret"):
        await bench.reserve("with-the-old-one", 5, subject=Subject(api_key=bench.secret))
    with pytest.raises(ApiKeyDisabled):
        await bench.store.ledger.describe_key(Subject(api_key=bench.secret))


async def test_a_check_with_the_secret_that_was_replaced_is_refused_too(bench: Bench) -> None:
    await rotate(bench, "r1")
    with pytest.raises(ApiKeyDisabled):
        await bench.store.ledger.check(Check(Subject(api_key=bench.secret), "gpt-5", {"total_tokens": 5}))


async def test_the_secret_that_was_replaced_works_for_the_grace(bench: Bench) -> None:
    key, _ = await rotate(bench, "r1", HOUR)
    assert key.old_secrets_expire_time is not None
    assert abs(key.old_secrets_expire_time - key.update_time - HOUR) < timedelta(seconds=5)
    await bench.reserve("r", 5, subject=Subject(api_key=bench.secret))
    await bench.store.ledger.describe_key(Subject(api_key=bench.secret))


async def test_a_rotation_binds_requests_of_other_daemons(bench: Bench) -> None:
    other = await Store.open(StoreSettings(bench.database_url))
    try:
        elsewhere = Bench(other, bench.database_url, bench.key, bench.secret)
        await elsewhere.reserve("r", 5, subject=Subject(api_key=bench.secret))
        await rotate(bench, "r1")
        with pytest.raises(ApiKeyDisabled):
            await elsewhere.reserve("next", 5, subject=Subject(api_key=bench.secret))
    finally:
        await other.close()


async def test_what_was_reserved_with_the_old_secret_is_settled_with_it(bench: Bench) -> None:
    for reservation_id in ("charged", "given-back"):
        await bench.reserve(reservation_id, 5, subject=Subject(api_key=bench.secret))
    await rotate(bench, "r1")
    scope = Scope(api_key=bench.secret)
    assert (await bench.finalize("charged", 4, scope=scope)).changed
    late = await bench.finalize("unreserved", 3, scope=scope, allow_unreserved=True, model="gpt-5")
    assert late.reservation.unreserved
    assert (await bench.release("given-back")).changed
    assert await bench.counters() == (7, 0)


async def test_a_repeated_reserve_with_the_old_secret_answers_the_first_grant(bench: Bench) -> None:
    await bench.reserve("r", 5, subject=Subject(api_key=bench.secret))
    await rotate(bench, "r1")
    assert (await bench.reserve("r", 5, subject=Subject(api_key=bench.secret))).replayed


async def test_a_repeated_rotation_changes_nothing_and_tells_no_secret(bench: Bench) -> None:
    key, secret = await rotate(bench, "r1")
    assert await bench.store.keys.rotate("r1", "default", bench.key.api_key_id, HOUR) == (key, None)
    await bench.reserve("r", 5, subject=Subject(api_key=secret))


async def test_a_further_rotation_never_puts_off_an_earlier_end(bench: Bench) -> None:
    _, second = await rotate(bench, "r1")
    _, third = await rotate(bench, "r2", HOUR)
    await bench.reserve("with-the-second", 5, subject=Subject(api_key=second))
    await bench.reserve("with-the-third", 5, subject=Subject(api_key=third))
    with pytest.raises(ApiKeyDisabled):
        await bench.reserve("with-the-first", 5, subject=Subject(api_key=bench.secret))
    await rotate(bench, "r3")
    for secret in (second, third):
        with pytest.raises(ApiKeyDisabled):
            await bench.reserve("again", 5, subject=Subject(api_key=secret))


async def test_a_secret_is_forgotten_when_nothing_of_it_can_be_settled_any_more(bench: Bench) -> None:
    await rotate(bench, "r1")
    await bench.execute("UPDATE quotad.api_key_secrets SET expire_time = expire_time - interval '8 days'")
    await rotate(bench, "r2")
    with pytest.raises(ApiKeyUnknown):
        await bench.reserve("r", 5, subject=Subject(api_key=bench.secret))


async def test_a_rotated_key_stays_what_it_is(bench: Bench) -> None:
    key, _ = await rotate(bench, "r1")
    assert (key.api_key_id, key.limits, key.name) == (bench.key.api_key_id, bench.key.limits, bench.key.name)
    assert key.etag != bench.key.etag
    with pytest.raises(EtagMismatch):
        await bench.store.keys.rotate("r2", "default", key.api_key_id, HOUR, bench.key.etag)


async def test_a_disabled_key_is_rotated_and_stays_disabled(bench: Bench) -> None:
    await bench.store.keys.update("default", bench.key.api_key_id, KeyChanges(disabled=True), "")
    _, secret = await rotate(bench, "r1")
    with pytest.raises(ApiKeyDisabled, match="disabled"):
        await bench.reserve("r", 5, subject=Subject(api_key=secret))


async def test_a_deleted_or_unknown_key_is_not_rotated(bench: Bench) -> None:
    gone, _ = await bench.new_key(limit())
    await bench.store.keys.delete("default", gone.api_key_id, "")
    for api_key_id in (gone.api_key_id, "key_unknown"):
        with pytest.raises(ResourceNotFound):
            await bench.store.keys.rotate("r1", "default", api_key_id, HOUR)


@pytest.mark.parametrize("grace", [timedelta(seconds=-1), timedelta(days=30, seconds=1)])
async def test_a_grace_is_zero_to_thirty_days(bench: Bench, grace: timedelta) -> None:
    with pytest.raises(InvalidRequest, match="30 days"):
        await bench.store.keys.rotate("r1", "default", bench.key.api_key_id, grace)
