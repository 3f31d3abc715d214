"""The one place where a request's hold is ended: decided once, then only repeated (S1).

Deciding and handing over to delivery happen without an await in between, so that no cancellation can come between
a request and its settlement.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from proxy.settlement.decision import Charge, Decision, Evidence, Terms, decide
from proxy.settlement.delivery import Delivered, Delivery, PendingSettlement
from quotad.client.types import ReservationState, Scope


@dataclass(frozen=True, slots=True)
class Claim:
    """A reservation that exists or may exist, and what its settlement needs to know."""

    reservation_id: str
    scope: Scope
    model: str
    start_time: datetime
    terms: Terms


class SettlementOwner:
    """Ends one reservation exactly once, whoever asks and how often."""

    def __init__(self, delivery: Delivery, claim: Claim, *, wait_seconds: float) -> None:
        self._delivery = delivery
        self._claim = claim
        self._wait_seconds = wait_seconds
        self._decision: Decision | None = None
        self._task: asyncio.Task[Delivered] | None = None

    @property
    def reservation_id(self) -> str:
        return self._claim.reservation_id

    def settle(self, evidence: Evidence) -> None:
        """Decide by the evidence and start to deliver; every later call changes nothing (S10)."""
        if self._task is not None:
            return
        self._decision = decide(evidence, self._claim.terms)
        self._task = self._delivery.submit(
            PendingSettlement(
                reservation_id=self._claim.reservation_id,
                scope=self._claim.scope,
                model=self._claim.model,
                start_time=self._claim.start_time,
                held=self._claim.terms.held,
                decision=self._decision,
            )
        )

    async def acknowledged(self) -> None:
        """Return when quotad has answered, or when the wait is over: then delivery goes on in the background."""
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=self._wait_seconds)

    @property
    def state(self) -> ReservationState | None:
        """As the ledger acknowledged it; None before that."""
        if self._task is None or not self._task.done() or self._task.cancelled():
            return None
        return self._task.result().state

    @property
    def charge(self) -> Charge | None:
        """As decided; None before that, and where nothing is charged."""
        return self._decision if isinstance(self._decision, Charge) else None

    @property
    def basis(self) -> str:
        """On what the decided charge rests."""
        return self.charge.basis.value if self.charge else "none"
