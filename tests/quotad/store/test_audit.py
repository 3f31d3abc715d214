"""Conservation: the audit sees what does not add up. B10."""

import asyncpg
import pytest

from quotad.store.audit import differences
from tests.quotad.store.conftest import Bench


@pytest.mark.parametrize("change", ["held = held + 1", "used = used + 1"])
async def test_a_counter_that_drifted_is_found(bench: Bench, change: str) -> None:
    await bench.reserve("a", 60)
    await bench.finalize("a", 25)
    await bench.reserve("b", 10)
    assert await differences(bench.database_url) == []
    await bench.execute(f"UPDATE quotad.windows SET {change}")
    (found,) = await differences(bench.database_url)
    assert (found.held != found.held_by_reservations) or (found.used != found.charged_to_reservations)
    await bench.execute(f"UPDATE quotad.windows SET {change.replace('+', '-')}")


async def test_the_tables_refuse_what_can_never_be(bench: Bench) -> None:
    await bench.reserve("a", 1)
    with pytest.raises(asyncpg.CheckViolationError):
        await bench.execute("UPDATE quotad.windows SET held = -1")
