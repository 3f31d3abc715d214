"""Groups: a request fits its key's limits and those of all groups above it."""

from __future__ import annotations

import pytest

from quotad.errors import GroupNotEmpty, GroupTreeInvalid, QuotaExceeded, RequestExceedsLimit
from quotad.values import Limit
from tests.quotad.conformance.ledger import Key, Ledger, limit


async def group(ledger: Ledger, *limits: Limit, parent: str = "") -> str:
    """Its id."""
    return (await ledger.admin.create_group("conformance", limits=limits, parent_group_id=parent)).group_id


async def used_and_held(ledger: Ledger, group_id: str) -> list[tuple[int, int]]:
    return [(status.used, status.held) for status in (await ledger.admin.get_group(group_id)).limits]


async def test_a_request_fits_its_keys_limits_and_its_groups(ledger: Ledger) -> None:
    root = await group(ledger, limit(max_value=100))
    team = await group(ledger, limit(max_value=70), parent=root)
    key = await ledger.key(limit(max_value=50), group_id=team)
    reservation = (await key.reserve("a", 40)).reservation
    assert [hold.held for hold in reservation.holds] == [40, 40, 40]
    with pytest.raises(QuotaExceeded) as refusal:
        await key.reserve("b", 31)
    owners = [violation.status.owner for violation in refusal.value.denial.violations]
    assert [(owner.api_key_id, owner.group_id) for owner in owners] == [(key.api_key.api_key_id, ""), ("", team)]
    await key.finalize("a", 25)
    assert await key.counters() == [(25, 0)] * 3
    assert await used_and_held(ledger, root) == [(25, 0)]


async def test_the_keys_of_a_group_share_its_limits(ledger: Ledger) -> None:
    team = await group(ledger, limit(max_value=100))
    one, other = [await ledger.key(limit(max_value=80), group_id=team) for _ in "ab"]
    await one.reserve("a", 60)
    with pytest.raises(QuotaExceeded):
        await other.reserve("b", 41)
    granted = (await other.reserve("b", 80, min_amounts={"total_tokens": 1})).reservation
    assert granted.reserved["total_tokens"] == 40
    await one.release("a")
    await other.reserve("c", 40)
    assert await used_and_held(ledger, team) == [(0, 80)]


async def test_a_whole_limit_of_a_group_can_be_too_small(ledger: Ledger) -> None:
    team = await group(ledger, limit(max_value=10))
    key = await ledger.key(limit(), group_id=team)
    with pytest.raises(RequestExceedsLimit):
        await key.reserve("a", 11)


async def test_a_moved_key_is_bound_by_its_next_group_and_settles_where_it_holds(ledger: Ledger) -> None:
    before, after = [await group(ledger, limit()) for _ in "ab"]
    key = await ledger.key(limit(), group_id=before)
    await key.reserve("a", 40)
    await key.edit(group_id=after)
    await key.reserve("b", 30)
    await key.finalize("a", 35)
    assert await used_and_held(ledger, before) == [(35, 0)]
    assert await used_and_held(ledger, after) == [(0, 30)]
    assert await key.counters() == [(35, 30), (0, 30)]


async def test_a_moved_group_takes_its_keys_along(ledger: Ledger) -> None:
    small, large = await group(ledger, limit(max_value=20)), await group(ledger, limit(max_value=1000))
    team = await group(ledger, parent=small)
    key = await ledger.key(limit(max_value=500), group_id=team)
    with pytest.raises(RequestExceedsLimit):
        await key.reserve("a", 21)
    await ledger.admin.update_group(team, parent_group_id=large)
    await key.reserve("a", 21)
    assert (await used_and_held(ledger, small), await used_and_held(ledger, large)) == ([(0, 0)], [(0, 21)])


async def test_an_edited_limit_of_a_group_binds_the_next_reserve_of_every_key(ledger: Ledger) -> None:
    team = await group(ledger, limit())
    keys: list[Key] = [await ledger.key(limit(), group_id=team) for _ in "ab"]
    for key in keys:
        await key.reserve("a", 20)
    await ledger.admin.update_group(team, limits=[limit(max_value=50)])
    for key in keys:
        with pytest.raises(QuotaExceeded):
            await key.reserve("b", 11)
    await ledger.admin.update_group(team, limits=[])
    await keys[0].reserve("b", 80)
    await keys[1].finalize("a", 15)
    await ledger.admin.update_group(team, limits=[limit()])
    assert await used_and_held(ledger, team) == [(15, 20)]


async def test_a_tree_that_would_be_none_is_refused_and_nothing_moves(ledger: Ledger) -> None:
    ids = [await group(ledger, limit())]
    for _ in range(3):
        ids.append(await group(ledger, parent=ids[-1]))
    with pytest.raises(GroupTreeInvalid):
        await group(ledger, parent=ids[-1])
    with pytest.raises(GroupTreeInvalid):
        await ledger.admin.update_group(ids[0], parent_group_id=ids[2])
    with pytest.raises(GroupNotEmpty):
        await ledger.admin.delete_group(ids[1])
    key = await ledger.key(limit(), group_id=ids[-1])
    await key.reserve("a", 30)
    assert await used_and_held(ledger, ids[0]) == [(0, 30)]
