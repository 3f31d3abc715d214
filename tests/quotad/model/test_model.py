"""Two daemons on one database answer as the rules say, whatever happens in whichever order."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.quotad.model.machine import LedgerMachine
from tests.quotad.model.world import World

STEPS = 30
EXAMPLES_PART = 2
"""An example is a story of many calls: half as many as of other properties tell enough."""


@pytest.mark.hypothesis
@pytest.mark.timeout(900)
def test_two_daemons_answer_as_the_oracle_does(database_url: str) -> None:
    with World(database_url) as world:
        run_state_machine_as_test(
            lambda: LedgerMachine(world),  # type: ignore[arg-type]  # called like a class
            settings=settings(
                max_examples=settings().max_examples // EXAMPLES_PART,
                stateful_step_count=STEPS,
                suppress_health_check=list(HealthCheck),
            ),
        )
