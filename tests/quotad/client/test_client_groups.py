"""Groups, rotation, policies and tokens, through the client."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quotad import errors as e
from quotad.client.types import (
    GroupName,
    KeyPolicies,
    LimitOwner,
    OnMissingUsage,
    OnQuotadUnavailable,
    OnUnknownPrice,
    TokenPrice,
    TokenRole,
    UnavailableAllowance,
)
from tests.support.daemons import Daemon, limit


async def test_a_key_is_described_with_its_groups_and_their_limits(daemon: Daemon) -> None:
    async with daemon.admin() as admin, daemon.data() as client:
        root = await admin.create_group("org", limits=[limit("requests", 5)])
        team = await admin.create_group("team", parent_group_id=root.group_id, limits=[limit(max_value=50)])
        key = await admin.create_api_key("demo", limits=[limit()], group_id=team.group_id)
        described = await client.describe_key(api_key=key.secret)
        listed = (await admin.list_api_keys(group_id=team.group_id)).keys
    assert described.api_key == key.api_key
    assert described.group_path == (GroupName(root.group_id, "org"), GroupName(team.group_id, "team"))
    owners = [status.owner for status in described.limits]
    assert owners == [
        LimitOwner(key.api_key.api_key_id, "demo"),
        LimitOwner("", "team", team.group_id),
        LimitOwner("", "org", root.group_id),
    ]
    assert [found.group_path for found in listed] == [described.group_path]


async def test_a_refusal_names_the_group_that_refuses(daemon: Daemon) -> None:
    async with daemon.admin() as admin, daemon.data() as client:
        team = await admin.create_group("team", limits=[limit(max_value=50)])
        key = await admin.create_api_key("demo", limits=[limit()], group_id=team.group_id)
        await client.reserve("one", api_key=key.secret, model="m", amounts={"total_tokens": 40})
        with pytest.raises(e.QuotaExceeded) as refused:
            await client.reserve("two", api_key=key.secret, model="m", amounts={"total_tokens": 40})
    (violation,) = refused.value.denial.violations
    assert violation.status.owner == LimitOwner("", "team", team.group_id)


async def test_a_refusal_names_all_128_limits_that_can_bind_a_request(daemon: Daemon) -> None:
    """With names and patterns of nearly full length: its details still fit into the answer's metadata."""
    rules = [limit("requests", 0, "m" * (150 + number) + "*") for number in range(64)]
    above = ""
    async with daemon.admin() as admin, daemon.data() as client:
        for _ in range(4):
            above = (await admin.create_group("é" * 128, parent_group_id=above, limits=rules[:16])).group_id
        key = await admin.create_api_key("é" * 128, limits=rules, group_id=above)
        with pytest.raises(e.RequestExceedsLimit) as refused:
            await client.reserve("one", api_key=key.secret, model="m" * 250, amounts={"requests": 1})
    assert len(refused.value.denial.violations) == 128


async def test_a_group_is_moved_edited_and_deleted(daemon: Daemon) -> None:
    async with daemon.admin() as admin:
        root, other = await admin.create_group("root"), await admin.create_group("other")
        team = await admin.create_group("team", parent_group_id=root.group_id, request_id="once")
        assert await admin.create_group("team", request_id="once") == team
        edited = await admin.update_group(
            team.group_id, etag=team.etag, name="crew", parent_group_id=other.group_id, limits=[limit()]
        )
        assert (edited.name, edited.parent_group_id, len(edited.limits)) == ("crew", other.group_id, 1)
        with pytest.raises(e.GroupTreeInvalid):
            await admin.update_group(other.group_id, parent_group_id=team.group_id)
        with pytest.raises(e.GroupNotEmpty):
            await admin.delete_group(other.group_id)
        assert (await admin.update_group(team.group_id, parent_group_id="")).parent_group_id == ""
        for group in (other, team):
            assert (await admin.delete_group(group.group_id)).delete_time is not None
        assert [found.group for found in (await admin.list_groups()).groups] == [root]
        assert (await admin.get_group(root.group_id)).group == root


async def test_a_key_moves_between_groups(daemon: Daemon) -> None:
    async with daemon.admin() as admin:
        team = await admin.create_group("team")
        key = (await admin.create_api_key("demo")).api_key
        assert (await admin.update_api_key(key.api_key_id, group_id=team.group_id)).group_id == team.group_id
        assert (await admin.update_api_key(key.api_key_id, name="new")).group_id == team.group_id
        assert (await admin.update_api_key(key.api_key_id, group_id="")).group_id == ""
        with pytest.raises(e.ResourceNotFound):
            await admin.update_api_key(key.api_key_id, group_id="grp_nobody")


async def test_a_rotated_key_has_another_secret_and_the_old_one_its_grace(daemon: Daemon) -> None:
    key = await daemon.create_key()
    async with daemon.admin() as admin, daemon.data() as client:
        rotated = await admin.rotate_api_key(key.api_key.api_key_id, grace=timedelta(hours=1), request_id="once")
        again = await admin.rotate_api_key(key.api_key.api_key_id, request_id="once")
        assert (again.api_key, again.secret) == (rotated.api_key, "")
        assert rotated.api_key.old_secrets_expire_time is not None
        for number, secret in enumerate((key.secret, rotated.secret)):
            await client.reserve(f"r{number}", api_key=secret, model="m", amounts={"total_tokens": 5})
        await admin.rotate_api_key(key.api_key.api_key_id)
        for secret in (key.secret, rotated.secret):
            with pytest.raises(e.ApiKeyDisabled):
                await client.reserve("late", api_key=secret, model="m", amounts={"total_tokens": 5})


async def test_policies_are_kept_as_they_were_given(daemon: Daemon) -> None:
    policies = KeyPolicies(
        OnMissingUsage.ESTIMATE,
        500,
        OnQuotadUnavailable.OPEN,
        UnavailableAllowance(100, 60),
        OnUnknownPrice.DEFAULT,
        TokenPrice(1_250_000, 10_000_000),
    )
    async with daemon.admin() as admin, daemon.data() as client:
        key = await admin.create_api_key("demo", policies=policies)
        assert (await client.describe_key(api_key=key.secret)).api_key.policies == policies
        edited = await admin.update_api_key(key.api_key.api_key_id, policies=KeyPolicies())
    assert edited.policies == KeyPolicies()


@pytest.mark.parametrize(
    "policies",
    [
        KeyPolicies(default_output_tokens=-1),
        KeyPolicies(on_quotad_unavailable=OnQuotadUnavailable.OPEN),
        KeyPolicies(unavailable_allowance=UnavailableAllowance(1, 1)),
        KeyPolicies(on_quotad_unavailable=OnQuotadUnavailable.OPEN, unavailable_allowance=UnavailableAllowance(0, 60)),
        KeyPolicies(
            on_quotad_unavailable=OnQuotadUnavailable.OPEN, unavailable_allowance=UnavailableAllowance(1, 86_401)
        ),
        KeyPolicies(on_unknown_price=OnUnknownPrice.DEFAULT),
        KeyPolicies(default_price=TokenPrice(1, 1)),
        KeyPolicies(on_unknown_price=OnUnknownPrice.DEFAULT, default_price=TokenPrice(1, -1)),
    ],
)
async def test_policies_that_contradict_themselves_are_refused(daemon: Daemon, policies: KeyPolicies) -> None:
    async with daemon.admin() as admin:
        with pytest.raises(e.InvalidRequest):
            await admin.create_api_key("demo", policies=policies)


async def test_a_token_is_made_listed_and_revoked(daemon: Daemon) -> None:
    async with daemon.admin() as admin:
        made = await admin.create_token(
            "proxies", TokenRole.DATA, tenant_ids=["blue"], may_charge_unreserved=True, request_id="once"
        )
        again = await admin.create_token("proxies", TokenRole.DATA, request_id="once")
        assert (again.token, again.secret) == (made.token, "")
        assert made.secret not in repr(made)
        listed = (await admin.list_tokens()).tokens
        assert [token.name for token in listed if token.tenant_ids] == ["proxies"]
        assert {token.name for token in listed} == {"bootstrap-data", "bootstrap-admin", "proxies"}
        assert (await admin.revoke_token(made.token.token_id)).revoke_time is not None
        noted = (await admin.list_audit_entries(resource_kind="token")).entries
    assert [(entry.action, entry.author.token_name, entry.author.actor) for entry in noted] == [
        ("revoke", "bootstrap-admin", "tests"),
        ("create", "bootstrap-admin", "tests"),
    ]
