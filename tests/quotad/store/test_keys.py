"""Keys as operators edit them."""

import pytest

from quotad.core.keys import KeyChanges, KeyDraft
from quotad.core.operations import Reserve
from quotad.errors import ApiKeyUnknown, EtagMismatch, InvalidRequest, ResourceNotFound
from quotad.values import Limit, Scope, Subject, Window, WindowKind
from tests.quotad.store.conftest import Bench, limit


async def test_a_repeated_creation_answers_the_key_without_its_secret(bench: Bench) -> None:
    key, secret = await bench.store.keys.create("first", "default", KeyDraft("something else"))
    assert (key, secret) == (bench.key, None)


async def test_the_secret_is_stored_only_as_a_hash(bench: Bench) -> None:
    assert bench.secret.startswith(bench.key.secret_prefix)
    assert bench.secret not in repr(bench.key)
    found = await bench.store.ledger.describe_key(Subject(api_key=bench.secret))
    assert found.api_key == bench.key


async def test_an_edit_on_stale_data_is_refused(bench: Bench) -> None:
    edited = await bench.store.keys.update("default", bench.key.api_key_id, KeyChanges(name="new"), bench.key.etag)
    assert edited.name == "new"
    with pytest.raises(EtagMismatch):
        await bench.store.keys.update("default", bench.key.api_key_id, KeyChanges(name="newer"), bench.key.etag)


async def test_limits_are_replaced_as_a_set_and_keep_their_counters(bench: Bench) -> None:
    await bench.reserve("r", 60)
    limits = (limit("requests", 5), limit(max_value=70))
    edited = await bench.store.keys.update("default", bench.key.api_key_id, KeyChanges(limits=limits), "")
    assert [found.metric for found in edited.limits] == ["requests", "total_tokens"]
    assert edited.limits[1].limit_id == bench.key.limits[0].limit_id
    status = await bench.status()
    assert (status.held, status.limit.max_value) == (60, 70)


async def test_keys_are_listed_in_pages_without_deleted_ones(bench: Bench) -> None:
    for number in range(4):
        await bench.new_key(name=f"k{number}")
    gone, _ = await bench.new_key(name="gone")
    await bench.store.keys.delete("default", gone.api_key_id, "")
    await bench.store.keys.delete("default", gone.api_key_id, "")
    first, token = await bench.store.keys.list("default", page_size=3, page_token="")
    rest, end = await bench.store.keys.list("default", page_size=3, page_token=token)
    assert [found.api_key.name for found in (*first, *rest)] == ["demo", "k0", "k1", "k2", "k3"]
    assert end == ""
    named, _ = await bench.store.keys.list("default", page_size=3, page_token="", name="k2")
    assert [found.api_key.name for found in named] == ["k2"]


async def test_an_unknown_or_deleted_key_cannot_be_edited(bench: Bench) -> None:
    with pytest.raises(ResourceNotFound):
        await bench.store.keys.get("default", "key_unknown")
    await bench.store.keys.delete("default", bench.key.api_key_id, "")
    with pytest.raises(ResourceNotFound):
        await bench.store.keys.update("default", bench.key.api_key_id, KeyChanges(name="x"), "")


@pytest.mark.parametrize(
    "wrong",
    [
        Limit("Tokens", Window(WindowKind.DAY), 1),
        Limit("requests", Window(WindowKind.DAY), -1),
        Limit("requests", Window(WindowKind.DAY), 10**15 + 1),
        Limit("requests", Window(WindowKind.FIXED, 0), 1),
        Limit("requests", Window(WindowKind.FIXED, 10**10), 1),
        Limit("requests", Window(WindowKind.DAY, 5), 1),
        Limit("requests", Window(WindowKind.DAY, 0, "Mars/Olympus"), 1),
        Limit("requests", Window(WindowKind.DAY, 0, "../etc/passwd"), 1),
        Limit("concurrency", Window(WindowKind.DAY), 1),
        Limit("requests", Window(WindowKind.DAY), 1, "a*b"),
    ],
)
async def test_a_wrong_limit_is_refused(bench: Bench, wrong: Limit) -> None:
    with pytest.raises(InvalidRequest):
        await bench.new_key(wrong)


async def test_two_limits_of_one_identity_are_refused(bench: Bench) -> None:
    with pytest.raises(InvalidRequest):
        await bench.new_key(limit(max_value=1), limit(max_value=2))


async def test_other_tenants_keys_are_out_of_reach(bench: Bench) -> None:
    with pytest.raises(ResourceNotFound):
        await bench.store.keys.get("another", bench.key.api_key_id)
    other, secret = await bench.store.keys.create("first", "another", KeyDraft("demo", (limit(),)))
    assert secret is not None
    operation = Reserve("r", Subject(api_key=secret), "m", {"total_tokens": 5})
    assert (await bench.store.ledger.reserve(operation)).reservation.tenant_id == "another"
    assert await bench.counters() == (0, 0)
    assert other.tenant_id == "another"


async def test_an_unset_scope_is_not_guessed_where_tenants_are_several(bench: Bench) -> None:
    await bench.reserve("known", 5)
    await bench.store.keys.create("first", "another", KeyDraft("demo"))
    await bench.release("known")
    with pytest.raises(InvalidRequest, match="tenants"):
        await bench.release("unknown")


@pytest.mark.parametrize("wrong", ["", "a b", "\0", "é", "x" * 129])
async def test_an_id_that_cannot_be_one_is_told_so(bench: Bench, wrong: str) -> None:
    keys, ledger = bench.store.keys, bench.store.ledger
    calls = (
        lambda: keys.get("default", wrong),
        lambda: keys.get(wrong, bench.key.api_key_id),
        lambda: keys.delete("default", wrong, ""),
        lambda: keys.update("default", wrong, KeyChanges(), ""),
        lambda: keys.list("default", page_size=1, page_token="", name=wrong + "\0"),
        lambda: ledger.describe_key(Subject(api_key_id=wrong)),
        lambda: bench.finalize("r", 1, scope=Scope(tenant_id=wrong)),
    )
    for call in calls:
        with pytest.raises(InvalidRequest):
            await call()
    with pytest.raises(ApiKeyUnknown):
        await ledger.describe_key(Subject(api_key=wrong))
