"""How far what was held lay from what was used, per model, so that an operator can size holds by numbers."""

from __future__ import annotations

from prometheus_client import Counter

from proxy.metering.pricing import COST
from proxy.metering.usage import Amounts

METRICS = ("input_tokens", "output_tokens", "total_tokens", COST)
OTHER = "other"
"""Stands for all models beyond the first ones."""

held_amounts = Counter("proxy_held_amounts", "Held for requests whose usage was reported.", ["model", "metric"])
over_held = Counter("proxy_over_held_amounts", "By how much these holds were above the usage.", ["model", "metric"])
under_held = Counter("proxy_under_held_amounts", "By how much the usage was above these holds.", ["model", "metric"])
unpriced_requests = Counter("proxy_unpriced_requests", "Requests served whose cost nobody knows, by model.", ["model"])


class HoldErrors:
    """Counts the error of holds. Callers name the models, so only the first `models_max` get series of their own."""

    def __init__(self, models_max: int) -> None:
        self._models_max = models_max
        self._models: set[str] = set()

    def note(self, model: str, held: Amounts, used: Amounts) -> None:
        """One request whose usage was reported; `held` as it was asked for, before any clipping."""
        name = self._label(model)
        for metric in METRICS:
            if metric in held and metric in used:
                held_amounts.labels(name, metric).inc(held[metric])
                over_held.labels(name, metric).inc(max(0, held[metric] - used[metric]))
                under_held.labels(name, metric).inc(max(0, used[metric] - held[metric]))
        if COST not in used:
            unpriced_requests.labels(name).inc()

    def _label(self, model: str) -> str:
        if len(self._models) < self._models_max:
            self._models.add(model)
        return model if model in self._models else OTHER
