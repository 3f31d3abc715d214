"""Groups: a request fits its key's limits and its groups' up to the root."""

from __future__ import annotations

import asyncio

import pytest

from quotad.administration import Group
from quotad.core.groups import GroupChanges, GroupDraft
from quotad.core.keys import KeyChanges
from quotad.errors import (
    EtagMismatch,
    GroupNotEmpty,
    GroupTreeInvalid,
    InvalidRequest,
    QuotaExceeded,
    RequestExceedsLimit,
    ResourceNotFound,
)
from quotad.store import Store, StoreSettings
from quotad.values import Limit, LimitOwner, Subject
from tests.quotad.store.conftest import Bench, limit


async def group(bench: Bench, name: str, *limits: Limit, above: Group | None = None) -> Group:
    draft = GroupDraft(name, above.group_id if above else "", limits)
    return await bench.store.groups.create(f"group-{next(bench.numbers)}", "default", draft)


async def put(bench: Bench, where: Group | None) -> None:
    changes = KeyChanges(group_id=where.group_id if where else "")
    await bench.store.keys.update("default", bench.key.api_key_id, changes, "")


async def move(bench: Bench, moved: Group, below: Group | None) -> Group:
    changes = GroupChanges(parent_group_id=below.group_id if below else "")
    return await bench.store.groups.update("default", moved.group_id, changes, "")


async def held(bench: Bench, where: Group) -> list[int]:
    return [status.held for status in (await bench.store.groups.get("default", where.group_id)).limits]


async def test_a_request_fits_the_limits_of_its_key_and_of_all_groups_above(bench: Bench) -> None:
    root = await group(bench, "root", limit(max_value=50))
    team = await group(bench, "team", limit(max_value=80), above=root)
    await put(bench, team)
    granted = await bench.reserve("r", 40)
    owners = [status.owner for status in granted.limits]
    assert owners == [
        LimitOwner(bench.key.api_key_id, "demo"),
        LimitOwner("", "team", team.group_id),
        LimitOwner("", "root", root.group_id),
    ]
    assert [hold.held for hold in granted.reservation.holds] == [40, 40, 40]
    with pytest.raises(QuotaExceeded) as refused:
        await bench.reserve("too-much", 11)
    assert [violation.status.owner.name for violation in refused.value.denial.violations] == ["root"]
    assert (await held(bench, root), await held(bench, team)) == ([40], [40])


async def test_two_keys_of_one_group_share_its_limits(bench: Bench) -> None:
    team = await group(bench, "team", limit(max_value=60))
    await put(bench, team)
    other, _ = await bench.new_key(limit(), group_id=team.group_id)
    await bench.reserve("mine", 40)
    with pytest.raises(QuotaExceeded):
        await bench.reserve("theirs", 30, subject=Subject(api_key_id=other.api_key_id))
    await bench.finalize("mine", 10)
    await bench.reserve("theirs", 50, subject=Subject(api_key_id=other.api_key_id))


async def test_keys_of_a_tree_share_the_limits_of_its_root(bench: Bench) -> None:
    root = await group(bench, "root", limit(max_value=10))
    teams = [await group(bench, name, above=root) for name in ("red", "blue")]
    keys = [(await bench.new_key(group_id=team.group_id))[0] for team in teams]
    outcomes = await asyncio.gather(
        *(bench.reserve(f"r{n}", 1, subject=Subject(api_key_id=keys[n % 2].api_key_id)) for n in range(16)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, QuotaExceeded) for outcome in outcomes) == 6
    assert await held(bench, root) == [10]


async def test_a_clipped_request_gets_the_least_room_of_key_and_groups(bench: Bench) -> None:
    await put(bench, await group(bench, "team", limit(max_value=30)))
    granted = await bench.reserve("r", 80, min_amounts={"total_tokens": 20})
    assert granted.reservation.reserved["total_tokens"] == 30


async def test_a_group_edit_binds_the_next_request(bench: Bench) -> None:
    team = await group(bench, "team", limit(max_value=10))
    await put(bench, team)
    await bench.store.groups.update("default", team.group_id, GroupChanges(limits=(limit(max_value=5),)), "")
    with pytest.raises(RequestExceedsLimit):
        await bench.reserve("r", 6)


async def test_moving_a_key_binds_the_next_request_and_open_ones_settle_where_they_hold(bench: Bench) -> None:
    here, there = await group(bench, "here", limit(max_value=100)), await group(bench, "there", limit(max_value=5))
    await put(bench, here)
    await bench.reserve("r", 40)
    await put(bench, there)
    with pytest.raises(RequestExceedsLimit):
        await bench.reserve("next", 6)
    await bench.finalize("r", 30)
    statuses = (await bench.store.groups.get("default", here.group_id)).limits
    assert [(status.used, status.held) for status in statuses] == [(30, 0)]
    assert await held(bench, there) == [0]


async def test_moving_a_group_binds_the_next_request_of_every_key_below(bench: Bench) -> None:
    narrow = await group(bench, "narrow", limit(max_value=5))
    team = await group(bench, "team")
    await put(bench, await group(bench, "squad", above=team))
    await bench.reserve("r", 40)
    await move(bench, team, narrow)
    with pytest.raises(RequestExceedsLimit):
        await bench.reserve("next", 6)
    await move(bench, team, None)
    await bench.reserve("next", 6)


async def test_an_edit_binds_requests_of_other_daemons(bench: Bench) -> None:
    team = await group(bench, "team", limit(max_value=100))
    await put(bench, team)
    other = await Store.open(StoreSettings(bench.database_url))
    try:
        elsewhere = Bench(other, bench.database_url, bench.key, bench.secret)
        await elsewhere.reserve("r", 10)
        await bench.store.groups.update("default", team.group_id, GroupChanges(limits=(limit(max_value=15),)), "")
        with pytest.raises(QuotaExceeded):
            await elsewhere.reserve("next", 10)
    finally:
        await other.close()


async def test_a_groups_limit_that_comes_back_keeps_its_counters(bench: Bench) -> None:
    team = await group(bench, "team", limit(max_value=50))
    await put(bench, team)
    await bench.reserve("r", 40)
    for limits in ((), (limit(max_value=45),)):
        edited = await bench.store.groups.update("default", team.group_id, GroupChanges(limits=limits), "")
    assert edited.limits[0].limit_id == team.limits[0].limit_id
    assert await held(bench, team) == [40]


async def test_a_key_and_a_group_may_have_the_same_rule(bench: Bench) -> None:
    first, second = await group(bench, "first", limit()), await group(bench, "second", limit())
    assert len({first.limits[0].limit_id, second.limits[0].limit_id, bench.key.limits[0].limit_id}) == 3


async def test_a_tree_has_four_levels_at_most(bench: Bench) -> None:
    tree = [await group(bench, "level 1")]
    for level in (2, 3, 4):
        tree.append(await group(bench, f"level {level}", above=tree[-1]))
    with pytest.raises(GroupTreeInvalid):
        await group(bench, "level 5", above=tree[-1])
    upper = await group(bench, "upper")
    with pytest.raises(GroupTreeInvalid):
        await move(bench, tree[0], upper)
    await move(bench, tree[1], upper)
    await put(bench, tree[3])
    described = await bench.store.keys.get("default", bench.key.api_key_id)
    assert [step.name for step in described.group_path] == ["upper", "level 2", "level 3", "level 4"]


async def test_a_group_cannot_be_moved_below_itself(bench: Bench) -> None:
    root = await group(bench, "root")
    child = await group(bench, "child", above=root)
    for below in (root, child):
        with pytest.raises(GroupTreeInvalid):
            await move(bench, root, below)


async def test_concurrent_moves_never_make_a_cycle(bench: Bench) -> None:
    one, two = await group(bench, "one"), await group(bench, "two")
    outcomes = await asyncio.gather(move(bench, one, two), move(bench, two, one), return_exceptions=True)
    assert sum(isinstance(outcome, GroupTreeInvalid) for outcome in outcomes) == 1


async def test_a_group_in_use_is_not_deleted(bench: Bench) -> None:
    root = await group(bench, "root")
    team = await group(bench, "team", above=root)
    await put(bench, team)
    for used in (root, team):
        with pytest.raises(GroupNotEmpty):
            await bench.store.groups.delete("default", used.group_id, "")
    await bench.store.keys.delete("default", bench.key.api_key_id, "")
    for free in (team, root, team):
        gone = await bench.store.groups.delete("default", free.group_id, "")
        assert gone.delete_time is not None
    assert await bench.store.groups.list("default", page_size=10, page_token="") == ((), "")


async def test_usage_of_a_deleted_key_is_charged_to_its_deleted_group(bench: Bench) -> None:
    team = await group(bench, "team", limit(max_value=50))
    await put(bench, team)
    await bench.reserve("r", 40)
    await bench.store.keys.delete("default", bench.key.api_key_id, "")
    await bench.store.groups.delete("default", team.group_id, "")
    settled = await bench.finalize("r", 30)
    assert [hold.charged for hold in settled.reservation.holds] == [30, 30]


async def test_nothing_can_be_put_into_an_unknown_or_deleted_group(bench: Bench) -> None:
    gone = await group(bench, "gone")
    await bench.store.groups.delete("default", gone.group_id, "")
    team = await group(bench, "team")
    for group_id in (gone.group_id, "grp_unknown"):
        for call in (
            bench.new_key(group_id=group_id),
            bench.store.keys.update("default", bench.key.api_key_id, KeyChanges(group_id=group_id), ""),
            bench.store.groups.create("x", "default", GroupDraft("x", group_id)),
            bench.store.groups.update("default", team.group_id, GroupChanges(parent_group_id=group_id), ""),
        ):
            with pytest.raises(ResourceNotFound):
                await call
    with pytest.raises(ResourceNotFound):
        await bench.store.groups.update("default", gone.group_id, GroupChanges(name="back"), "")


async def test_other_tenants_groups_are_out_of_reach(bench: Bench) -> None:
    theirs = await bench.store.groups.create("first", "another", GroupDraft("theirs"))
    with pytest.raises(ResourceNotFound):
        await put(bench, theirs)
    with pytest.raises(ResourceNotFound):
        await bench.store.groups.get("default", theirs.group_id)


async def test_a_repeated_creation_answers_the_group(bench: Bench) -> None:
    made = await bench.store.groups.create("once", "default", GroupDraft("team", limits=(limit(),)))
    assert await bench.store.groups.create("once", "default", GroupDraft("something else")) == made


async def test_a_group_edit_on_stale_data_is_refused(bench: Bench) -> None:
    team = await group(bench, "team")
    edited = await bench.store.groups.update("default", team.group_id, GroupChanges(name="new"), team.etag)
    assert edited.name == "new"
    with pytest.raises(EtagMismatch):
        await bench.store.groups.update("default", team.group_id, GroupChanges(name="newer"), team.etag)
    with pytest.raises(EtagMismatch):
        await bench.store.groups.delete("default", team.group_id, team.etag)


async def test_groups_are_listed_in_pages_and_by_name(bench: Bench) -> None:
    for name in ("a", "b", "c"):
        await group(bench, name)
    first, token = await bench.store.groups.list("default", page_size=2, page_token="")
    rest, end = await bench.store.groups.list("default", page_size=2, page_token=token)
    assert [found.group.name for found in (*first, *rest)] == ["a", "b", "c"]
    assert end == ""
    named, _ = await bench.store.groups.list("default", page_size=2, page_token="", name="b")
    assert [found.group.name for found in named] == ["b"]


async def test_keys_are_listed_by_their_group(bench: Bench) -> None:
    team = await group(bench, "team")
    member, _ = await bench.new_key(group_id=team.group_id)
    listed, _ = await bench.store.keys.list("default", page_size=9, page_token="", group_id=team.group_id)
    assert [found.api_key for found in listed] == [member]


async def test_a_group_has_at_most_16_limits(bench: Bench) -> None:
    limits = tuple(limit(max_value=1, model_pattern=f"m{number}") for number in range(17))
    with pytest.raises(InvalidRequest, match="16"):
        await group(bench, "team", *limits)
    await group(bench, "team", *limits[:16])


@pytest.mark.parametrize("draft", [GroupDraft(""), GroupDraft("x" * 129), GroupDraft("a\0b"), GroupDraft("x", "a b")])
async def test_a_wrong_group_is_refused(bench: Bench, draft: GroupDraft) -> None:
    with pytest.raises(InvalidRequest):
        await bench.store.groups.create("wrong", "default", draft)
