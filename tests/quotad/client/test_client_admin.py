from __future__ import annotations

from datetime import UTC, datetime

import pytest

from quotad import errors as e
from quotad.client.types import Enforcement, KeyPolicies, Limit, OnMissingUsage, Window, WindowKind
from tests.support.daemons import Daemon, limit


async def test_a_key_keeps_everything_it_was_made_with(daemon: Daemon) -> None:
    limits = (
        limit(),
        Limit("requests", Window(WindowKind.MONTH, time_zone="Europe/Berlin"), 7, "gpt-5*", Enforcement.SHADOW),
        Limit("cost_microusd", Window(WindowKind.FIXED, 18000), 10**15),
        Limit("concurrency", Window(WindowKind.LIFETIME), 3),
    )
    policies = KeyPolicies(OnMissingUsage.ESTIMATE, 500)
    end = datetime(2040, 1, 1, tzinfo=UTC)
    async with daemon.admin() as admin:
        created = await admin.create_api_key(
            "Zoë", limits=limits, allowed_models=("gpt-5*", "o3"), expire_time=end, policies=policies, disabled=True
        )
        found = (await admin.get_api_key(created.api_key.api_key_id)).api_key
    assert found == created.api_key
    assert (found.name, found.expire_time, found.policies, found.disabled) == ("Zoë", end, policies, True)
    assert found.allowed_models == ("gpt-5*", "o3")
    assert [
        (item.metric, item.window, item.max_value, item.model_pattern, item.enforcement) for item in found.limits
    ] == [(item.metric, item.window, item.max_value, item.model_pattern, item.enforcement) for item in limits]
    assert created.secret not in repr(created)


async def test_a_repeated_creation_makes_one_key_and_tells_no_secret(daemon: Daemon) -> None:
    async with daemon.admin() as admin:
        first = await admin.create_api_key("demo", request_id="once")
        again = await admin.create_api_key("demo", request_id="once")
        page = await admin.list_api_keys()
    assert again.api_key == first.api_key
    assert first.secret
    assert again.secret == ""
    assert len(page.keys) == 1


async def test_keys_are_listed_page_by_page_and_by_name(daemon: Daemon) -> None:
    async with daemon.admin() as admin:
        made = [(await admin.create_api_key(name)).api_key.api_key_id for name in ("a", "b", "a")]
        listed, token = [], ""
        for _ in range(2):
            page = await admin.list_api_keys(page_size=2, page_token=token)
            listed += [item.api_key.api_key_id for item in page.keys]
            token = page.next_page_token
        named = await admin.list_api_keys(name="a")
    assert (listed, token) == (made, "")
    assert [item.api_key.api_key_id for item in named.keys] == [made[0], made[2]]


async def test_an_edit_changes_what_it_names_and_nothing_else(daemon: Daemon) -> None:
    end = datetime(2040, 1, 1, tzinfo=UTC)
    async with daemon.admin() as admin:
        key = (await admin.create_api_key("demo", limits=[limit()], expire_time=end)).api_key
        renamed = await admin.update_api_key(key.api_key_id, name="other")
        assert (renamed.name, renamed.limits, renamed.expire_time) == ("other", key.limits, end)
        emptied = await admin.update_api_key(key.api_key_id, limits=(), expire_time=None)
        assert (emptied.name, emptied.limits, emptied.expire_time) == ("other", (), None)
        again = await admin.update_api_key(key.api_key_id, limits=[limit()])
        assert again.limits == key.limits


async def test_an_edit_on_stale_data_is_refused(daemon: Daemon) -> None:
    async with daemon.admin() as admin:
        key = (await admin.create_api_key("demo")).api_key
        await admin.update_api_key(key.api_key_id, etag=key.etag, disabled=True)
        with pytest.raises(e.EtagMismatch):
            await admin.update_api_key(key.api_key_id, etag=key.etag, name="late")
        with pytest.raises(e.EtagMismatch):
            await admin.delete_api_key(key.api_key_id, etag=key.etag)


async def test_a_deleted_key_refuses_and_still_settles(daemon: Daemon) -> None:
    key = await daemon.create_key()
    async with daemon.admin() as admin, daemon.data() as client:
        await client.reserve("one", api_key=key.secret, model="m", amounts={"total_tokens": 5})
        assert (await admin.delete_api_key(key.api_key.api_key_id)).delete_time is not None
        await admin.delete_api_key(key.api_key.api_key_id)
        with pytest.raises(e.ApiKeyDisabled):
            await client.reserve("two", api_key=key.secret, model="m", amounts={"total_tokens": 5})
        assert (await client.finalize("one", amounts={"total_tokens": 5})).changed
        assert (await admin.list_api_keys()).keys == ()


async def test_an_unknown_key_is_told_as_one(daemon: Daemon) -> None:
    async with daemon.admin() as admin:
        for call in (admin.get_api_key, admin.delete_api_key):
            with pytest.raises(e.ResourceNotFound):
                await call("key_nobody")
        with pytest.raises(e.ResourceNotFound):
            await admin.update_api_key("key_nobody", name="x")
