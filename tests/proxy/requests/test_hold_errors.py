from __future__ import annotations

import pytest
from prometheus_client import REGISTRY

from proxy.requests.hold_errors import HoldErrors


def counted(name: str, model: str, metric: str = "output_tokens") -> float | None:
    return REGISTRY.get_sample_value(f"proxy_{name}_amounts_total", {"model": model, "metric": metric})


def test_what_was_held_too_much_and_too_little_do_not_cancel_out() -> None:
    errors = HoldErrors(models_max=1)
    errors.note("both-ways", {"output_tokens": 100}, {"output_tokens": 70})
    errors.note("both-ways", {"output_tokens": 100}, {"output_tokens": 150})
    assert [counted(name, "both-ways") for name in ("held", "over_held", "under_held")] == [200, 30, 50]


def test_names_of_models_cannot_make_series_without_end() -> None:
    before = counted("held", "other") or 0.0
    errors = HoldErrors(models_max=2)
    for name in ("series-1", "series-2", "series-3", "series-4", "series-1"):
        errors.note(name, {"output_tokens": 1}, {"output_tokens": 1})
    assert [counted("held", f"series-{number}") for number in (1, 2, 3, 4)] == [2, 1, None, None]
    assert (counted("held", "other") or 0.0) - before == 2


@pytest.mark.parametrize(("used", "expected"), [({"cost_microusd": 5}, 0.0), ({}, 1.0)])
def test_requests_whose_cost_nobody_knows_are_counted(used: dict[str, int], expected: float) -> None:
    def unpriced() -> float:
        return REGISTRY.get_sample_value("proxy_unpriced_requests_total", {"model": "unpriced"}) or 0.0

    before = unpriced()
    HoldErrors(models_max=1).note("unpriced", {}, used)
    assert unpriced() - before == expected
