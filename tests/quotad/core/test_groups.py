from __future__ import annotations

import pytest

from quotad.core.groups import check_place
from quotad.errors import GroupTreeInvalid


@pytest.mark.parametrize(("above", "levels"), [([], 4), (["a"], 3), (["c", "b", "a"], 1)])
def test_four_levels_are_a_tree(above: list[str], levels: int) -> None:
    check_place("moved", above, levels)


@pytest.mark.parametrize(("above", "levels"), [([], 5), (["a"], 4), (["d", "c", "b", "a"], 1)])
def test_five_levels_are_too_many(above: list[str], levels: int) -> None:
    with pytest.raises(GroupTreeInvalid, match="4 levels"):
        check_place("moved", above, levels)


@pytest.mark.parametrize("above", [["moved"], ["child", "moved"], ["child", "moved", "root"]])
def test_a_group_cannot_be_below_itself(above: list[str]) -> None:
    with pytest.raises(GroupTreeInvalid, match="below itself"):
        check_place("moved", above, 1)
