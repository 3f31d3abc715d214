"""The log of who changed what."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from quotad.administration import AuditEntry, Author, TokenRole
from quotad.core.groups import GroupChanges, GroupDraft
from quotad.core.keys import KeyChanges, KeyDraft, TokenDraft
from quotad.errors import EtagMismatch, InvalidRequest
from quotad.store.audit_log import ALL_TENANTS, AuditFilter
from tests.quotad.store.conftest import Bench, limit

AUTHOR = Author("laptop", "os:ada")


async def entries(bench: Bench, **wanted: str) -> tuple[AuditEntry, ...]:
    found, _ = await bench.store.audit_log.list(
        ("default", ALL_TENANTS), AuditFilter(**wanted), page_size=100, page_token=""
    )
    return found


async def test_every_edit_of_a_key_is_noted_with_its_author(bench: Bench) -> None:
    keys, key_id = bench.store.keys, bench.key.api_key_id
    await keys.update("default", key_id, KeyChanges(name="new", limits=(limit(max_value=7),)), "", AUTHOR)
    _, secret = await keys.rotate("r", "default", key_id, timedelta(), "", AUTHOR)
    await keys.delete("default", key_id, "", AUTHOR)
    noted = await entries(bench, resource_id=key_id)
    assert [entry.action for entry in noted] == ["delete", "rotate", "update", "create"]
    assert {entry.author for entry in noted[:3]} == {AUTHOR}
    before, after = json.loads(noted[2].before), json.loads(noted[2].after)
    assert (before["name"], after["name"]) == ("demo", "new")
    assert (before["limits"][0]["max_value"], after["limits"][0]["max_value"]) == (100, 7)
    assert noted[3].before == ""
    assert secret is not None
    assert all(word not in repr(noted) for word in (secret, bench.secret))


async def test_edits_of_groups_and_tokens_are_noted(bench: Bench) -> None:
    group = await bench.store.groups.create("g", "default", GroupDraft("team"), AUTHOR)
    await bench.store.groups.update("default", group.group_id, GroupChanges(name="crew"), "", AUTHOR)
    await bench.store.groups.delete("default", group.group_id, "", AUTHOR)
    token, _ = await bench.store.tokens.create("t", TokenDraft("proxies", TokenRole.DATA), AUTHOR)
    await bench.store.tokens.revoke(token.token_id, AUTHOR)
    noted = [(entry.resource_kind, entry.action, entry.tenant_id) for entry in await entries(bench)]
    assert noted == [
        ("token", "revoke", ""),
        ("token", "create", ""),
        ("group", "delete", "default"),
        ("group", "update", "default"),
        ("group", "create", "default"),
        ("api_key", "create", "default"),
    ]
    assert len(await entries(bench, resource_kind="token")) == 2


async def test_a_repeat_or_a_refused_edit_is_not_noted(bench: Bench) -> None:
    await bench.store.keys.create("first", "default", KeyDraft("again"), AUTHOR)
    with pytest.raises(EtagMismatch):
        await bench.store.keys.update("default", bench.key.api_key_id, KeyChanges(name="x"), "stale", AUTHOR)
    for _ in range(2):
        await bench.store.keys.delete("default", bench.key.api_key_id, "", AUTHOR)
    assert [entry.action for entry in await entries(bench)] == ["delete", "create"]


async def test_the_log_is_read_in_pages_newest_first(bench: Bench) -> None:
    for number in range(4):
        await bench.new_key(name=f"k{number}")
    names, token = [], ""
    while True:
        page, token = await bench.store.audit_log.list(
            ("default", ALL_TENANTS), AuditFilter(), page_size=2, page_token=token
        )
        names += [json.loads(entry.after)["name"] for entry in page]
        if not token:
            break
    assert names == ["k3", "k2", "k1", "k0", "demo"]


async def test_other_tenants_entries_are_out_of_reach(bench: Bench) -> None:
    await bench.store.keys.create("first", "another", KeyDraft("theirs"))
    assert [entry.tenant_id for entry in await entries(bench)] == ["default"]


async def test_a_page_token_of_nobody_ends_the_list(bench: Bench) -> None:
    assert await bench.store.audit_log.list(("default",), AuditFilter(), page_size=2, page_token="log_nobody") == (
        (),
        "",
    )


@pytest.mark.parametrize("wanted", [AuditFilter(resource_id="\0"), AuditFilter(resource_kind="x" * 257)])
async def test_a_wrong_filter_is_refused(bench: Bench, wanted: AuditFilter) -> None:
    with pytest.raises(InvalidRequest):
        await bench.store.audit_log.list(("default",), wanted, page_size=2, page_token="")
