from __future__ import annotations

import pytest

from proxy.metering.usage import Usage
from proxy.settlement.decision import Charge, Ending, Evidence, Return, Terms, decide
from quotad.client.types import Basis, OnMissingUsage
from tests.proxy.metering.tariffs import OWN, UNKNOWN, tariff

HELD = {"input_tokens": 100, "output_tokens": 400, "total_tokens": 500}


def terms(policy: OnMissingUsage = OnMissingUsage.RELEASE, model: str = UNKNOWN) -> Terms:
    return Terms(HELD, policy, bytes_per_token=3, tariff=tariff(model))


def cost_of(evidence: Evidence, policy: OnMissingUsage = OnMissingUsage.RELEASE, model: str = OWN) -> int | None:
    """At 2 USD per million input tokens, 0.5 if cached, 10 for output."""
    decision = decide(evidence, terms(policy, model))
    assert isinstance(decision, Charge)
    return decision.amounts.get("cost_microusd")


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


def test_a_report_is_charged_with_what_its_tokens_cost() -> None:
    assert cost_of(Evidence(reports=[Usage(100, 7, 107, cached_input_tokens=40)])) == 60 * 2 + 20 + 70


def test_the_cost_of_several_attempts_is_summed_before_it_is_rounded() -> None:
    once = Usage(1, 0, 1, cached_input_tokens=1)
    assert cost_of(Evidence(reports=[once])) == 1
    assert cost_of(Evidence(reports=[once, once])) == 1


@pytest.mark.parametrize("ending", [Ending.CUT, Ending.ABANDONED, Ending.UPSTREAM])
def test_an_estimate_costs_what_its_tokens_cost(ending: Ending) -> None:
    output = 400 if ending is Ending.ABANDONED else 11
    evidence = Evidence(has_begun=True, output_bytes=31, ending=ending)
    assert cost_of(evidence, OnMissingUsage.ESTIMATE) == 100 * 2 + output * 10


def test_what_is_charged_as_held_leaves_the_cost_to_the_hold() -> None:
    assert cost_of(Evidence(has_begun=True), OnMissingUsage.RESERVED) is None


def test_a_cost_that_nobody_knows_is_left_out_and_never_zero() -> None:
    """B8"""
    assert cost_of(Evidence(reports=[Usage(1, 2, 3)]), model=UNKNOWN) is None
    assert cost_of(Evidence(has_begun=True, ending=Ending.CUT), model=UNKNOWN) is None


def test_the_model_that_answered_has_a_price_where_the_one_asked_for_has_none() -> None:
    """B8"""
    report = Usage(100, 7, 107, model=OWN)
    assert cost_of(Evidence(reports=[report]), model=UNKNOWN) == 270
    assert cost_of(Evidence(reports=[report, Usage(1, 2, 3)]), model=UNKNOWN) is None
