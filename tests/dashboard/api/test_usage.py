"""How hourly totals become one picture."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dashboard.api.usage import usage_answer
from quotad.client.types import UsageTotal

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def total(hours: int, model: str, metric: str, amount: int) -> UsageTotal:
    return UsageTotal(NOON + timedelta(hours=hours), "key-1", model, metric, amount)


TOTALS = (
    total(0, "a", "total_tokens", 1),
    total(0, "b", "total_tokens", 2),
    total(1, "a", "requests", 4),
    total(13, "a", "total_tokens", 8),
)


def test_models_are_summed_within_an_hour() -> None:
    usage = usage_answer(TOTALS, NOON, NOON + timedelta(hours=24), is_complete=True)
    assert [(amount.time - NOON, amount.metric, amount.amount) for amount in usage.amounts] == [
        (timedelta(0), "total_tokens", 3),
        (timedelta(hours=1), "requests", 4),
        (timedelta(hours=13), "total_tokens", 8),
    ]


def test_hours_are_summed_within_a_day() -> None:
    usage = usage_answer(TOTALS, NOON, NOON + timedelta(days=4), is_complete=True)
    assert [(amount.time.day, amount.metric, amount.amount) for amount in usage.amounts] == [
        (1, "requests", 4),
        (1, "total_tokens", 3),
        (2, "total_tokens", 8),
    ]


def test_models_are_told_for_the_whole_time() -> None:
    usage = usage_answer(TOTALS, NOON, NOON + timedelta(hours=24), is_complete=False)
    assert [(model.model, model.metric, model.amount) for model in usage.models] == [
        ("a", "requests", 4),
        ("a", "total_tokens", 9),
        ("b", "total_tokens", 2),
    ]
    assert usage.is_complete is False
