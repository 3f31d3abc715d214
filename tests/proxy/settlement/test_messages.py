from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from proxy.settlement.decision import Charge, Decision, Return
from proxy.settlement.messages import PendingSettlement, Unreadable, entry_of, intent_of, read_settlement
from quotad.client.types import Basis, Scope
from servicekit.journal import Entry, encode, read_segment

START = datetime(2026, 5, 1, 12, 30, 15, 250_000, tzinfo=UTC)
HELD = {"input_tokens": 100, "output_tokens": 400, "total_tokens": 500}


def pending(decision: Decision, scope: Scope) -> PendingSettlement:
    return PendingSettlement("r-1", scope, "gpt-5.1", START, HELD, decision, unreserved=True, decide_time=START)


@pytest.mark.parametrize(
    "decision", [Charge({"total_tokens": 7}, Basis.REPORTED), Charge({}, Basis.RESERVED), Return("x")]
)
@pytest.mark.parametrize("scope", [Scope(), Scope(tenant_id="t"), Scope(api_key_id="key_1")])
def test_a_settlement_is_read_as_it_was_written(decision: Decision, scope: Scope) -> None:
    """B5"""
    settlement = pending(decision, scope)
    [line] = read_segment(encode(entry_of(settlement))).lines
    assert isinstance(line, Entry)
    assert read_settlement(line) == settlement


def test_an_intent_is_read_as_the_charge_of_a_request_whose_worker_died() -> None:
    """B5"""
    settlement = pending(Charge(HELD, Basis.ESTIMATED), Scope(api_key_id="key_1"))
    assert read_settlement(intent_of(settlement)) == settlement
    assert intent_of(settlement).content["kind"] != entry_of(settlement).content["kind"]


def test_no_secret_reaches_the_disk() -> None:
    settlement = pending(Return("x"), Scope(api_key="sk-quota-secret"))
    assert b"sk-quota-secret" not in encode(entry_of(settlement))
    assert read_settlement(entry_of(settlement)).scope == Scope()


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "other"},
        {"scope": {"city": "Seoul"}},
        {"scope": 7},
        {"start_time": "yesterday"},
        {"charge": {"total_tokens": "many"}},
        {"basis": "guessed"},
        {"held": None},
    ],
)
def test_what_this_program_does_not_write_is_told(change: dict[str, object]) -> None:
    entry = entry_of(pending(Charge({}, Basis.RESERVED), Scope()))
    with pytest.raises(Unreadable, match="r-1"):
        read_settlement(replace(entry, content={**entry.content, **change}))
    with pytest.raises(Unreadable):
        read_settlement(Entry("r-1", 0, {}))
