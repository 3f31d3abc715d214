from __future__ import annotations

import pytest

from proxy.metering.usage import Usage
from proxy.settlement.decision import Charge, Ending, Evidence, Return, Terms, decide
from quotad.client.types import Basis, OnMissingUsage

HELD = {"input_tokens": 100, "output_tokens": 400, "total_tokens": 500}


def terms(policy: OnMissingUsage = OnMissingUsage.RELEASE) -> Terms:
    return Terms(HELD, policy, bytes_per_token=3)


@pytest.mark.parametrize("ending", list(Ending))
def test_a_report_is_charged_whoever_ended_the_answer(ending: Ending) -> None:
    """B4, S9, S13"""
    evidence = Evidence(reports=[Usage(1, 2, 3)], ending=ending)
    assert decide(evidence, terms(OnMissingUsage.RESERVED)) == Charge(
        {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}, Basis.REPORTED
    )


def test_the_reports_of_several_attempts_are_charged_together() -> None:
    decision = decide(Evidence(reports=[Usage(1, 2, 3), Usage(10, 20, 30)]), terms())
    assert isinstance(decision, Charge)
    assert decision.amounts["total_tokens"] == 33


@pytest.mark.parametrize("ending", list(Ending))
@pytest.mark.parametrize("policy", list(OnMissingUsage))
def test_an_answer_that_never_began_is_released(ending: Ending, policy: OnMissingUsage) -> None:
    """S4, S5, S6, S13"""
    assert isinstance(decide(Evidence(ending=ending), terms(policy)), Return)


def test_an_upstream_that_fails_without_a_report_is_released_unless_the_key_says_otherwise() -> None:
    """S13"""
    evidence = Evidence(has_begun=True, output_bytes=31)
    assert isinstance(decide(evidence, terms()), Return)
    assert decide(evidence, terms(OnMissingUsage.RESERVED)) == Charge({}, Basis.RESERVED)
    assert decide(evidence, terms(OnMissingUsage.ESTIMATE)) == Charge(
        {"input_tokens": 100, "output_tokens": 11, "total_tokens": 111}, Basis.ESTIMATED
    )


@pytest.mark.parametrize("policy", list(OnMissingUsage))
def test_an_answer_that_we_cut_is_estimated_and_never_free(policy: OnMissingUsage) -> None:
    """S13: leaving early is never cheaper than staying."""
    left = decide(Evidence(has_begun=True, output_bytes=31, ending=Ending.ABANDONED), terms(policy))
    assert left == Charge({"input_tokens": 100, "output_tokens": 400, "total_tokens": 500}, Basis.ESTIMATED)
    talkative = decide(Evidence(has_begun=True, output_bytes=3000, ending=Ending.ABANDONED), terms(policy))
    assert talkative == Charge({"input_tokens": 100, "output_tokens": 1000, "total_tokens": 1100}, Basis.ESTIMATED)
    stayed = decide(Evidence(has_begun=True, output_bytes=31, ending=Ending.CUT), terms(policy))
    assert stayed == Charge({"input_tokens": 100, "output_tokens": 11, "total_tokens": 111}, Basis.ESTIMATED)
