"""How a reservation ends: decided here, once per request, from what is known of it. Pure.

a report was read                     charge it (B4)
nothing of an answer came             release
our own bound cut the answer          charge an estimate: leaving early is never cheaper than staying (S13)
the upstream ended without a report   the key's policy says: release, an estimate, or what was held

Once made, a decision never changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import assert_never

from proxy.metering.estimate import estimate_seen, estimate_whole
from proxy.metering.pricing import COST, Tariff
from proxy.metering.usage import Usage, sum_usage
from quotad.client.types import Amounts, Basis, OnMissingUsage


class Ending(Enum):
    """Who ended the answer."""

    UPSTREAM = auto()
    """It ended, or failed, by itself."""
    CUT = auto()
    """We did, by a bound of ours, while the caller was there."""
    ABANDONED = auto()
    """We did, after the caller had left."""


@dataclass(slots=True)
class Evidence:
    """What a request's task has seen; it grows until the decision is made."""

    reports: list[Usage] = field(default_factory=list)
    has_begun: bool = False
    """Something of an answer came, so something may have been billed."""
    output_bytes: int = 0
    """Text of the answer that came."""
    ending: Ending = Ending.UPSTREAM
    reason: str = ""
    """Why nothing is charged, in a word or two for the ledger's reader."""

    @property
    def usage(self) -> Usage | None:
        return sum_usage(self.reports)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a charge without a report rests on."""

    held: Amounts
    """As asked for, before any clipping."""
    on_missing_usage: OnMissingUsage
    bytes_per_token: float
    tariff: Tariff


@dataclass(frozen=True, slots=True)
class Charge:
    """Finalize with these amounts; a metric left out is charged as it was held."""

    amounts: Mapping[str, int]
    basis: Basis


@dataclass(frozen=True, slots=True)
class Return:
    """Release."""

    reason: str


Decision = Charge | Return


def decide(evidence: Evidence, terms: Terms) -> Decision:
    """What becomes of the hold."""
    usage = evidence.usage
    if usage is not None:
        return Charge(_with_cost(usage.amounts, terms.tariff.cost_microusd(evidence.reports)), Basis.REPORTED)
    if not evidence.has_begun:
        return Return(evidence.reason or "nothing was answered")
    match evidence.ending:
        case Ending.CUT:
            return _estimated(estimate_seen(terms.held, evidence.output_bytes, terms.bytes_per_token), terms)
        case Ending.ABANDONED:
            return _estimated(estimate_whole(terms.held, evidence.output_bytes, terms.bytes_per_token), terms)
        case Ending.UPSTREAM:
            return _without_report(evidence, terms)
        case _:
            assert_never(evidence.ending)


def _without_report(evidence: Evidence, terms: Terms) -> Decision:
    match terms.on_missing_usage:
        case OnMissingUsage.RELEASE:
            return Return(evidence.reason or "no usage was reported")
        case OnMissingUsage.ESTIMATE:
            return _estimated(estimate_seen(terms.held, evidence.output_bytes, terms.bytes_per_token), terms)
        case OnMissingUsage.RESERVED:
            return Charge({}, Basis.RESERVED)
        case _:
            assert_never(terms.on_missing_usage)


def _estimated(amounts: Amounts, terms: Terms) -> Charge:
    """Tokens that nobody reported, at the most that they can cost."""
    cost = terms.tariff.estimate_microusd(amounts["input_tokens"], amounts["output_tokens"])
    return Charge(_with_cost(amounts, cost), Basis.ESTIMATED)


def _with_cost(amounts: Amounts, cost_microusd: int | None) -> Amounts:
    return amounts if cost_microusd is None else {**amounts, COST: cost_microusd}
