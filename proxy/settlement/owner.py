"""The one place where a request's hold is ended: decided once, then only repeated (S1).

Deciding and handing over to delivery happen without an await in between, so that no cancellation can come between
a request and its settlement.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from proxy.settlement.decision import Charge, Decision, Evidence, Terms, decide
from proxy.settlement.delivery import Delivered, Delivery
from proxy.settlement.messages import PendingSettlement
from quotad.client.types import Basis, ReservationState, Scope


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

    def __init__(self, delivery: Delivery, claim: Claim) -> None:
        self._delivery = delivery
        self._claim = claim
        self._decision: Decision | None = None
        self._task: asyncio.Task[Delivered] | None = None
        self._unreserved = False

    @property
    def reservation_id(self) -> str:
        return self._claim.reservation_id

    async def intend(self) -> None:
        """Answer for a request that is served without a reservation, also if this process dies.

        Raises `OutboxUnusable`; the request must not be served then.
        """
        self._unreserved = True
        try:
            await self._delivery.intend(self._pending(Charge(self._claim.terms.held, Basis.ESTIMATED)))
        except BaseException:
            self._unreserved = False
            raise

    def settle(self, evidence: Evidence) -> None:
        """Decide by the evidence and start to deliver; every later call changes nothing (S10)."""
        if self._task is not None:
            return
        self._decision = decide(evidence, self._claim.terms)
        self._task = self._delivery.submit(self._pending(self._decision))

    async def safe(self) -> None:
        """Return when quotad has answered, or the decision is on the disk; delivery goes on in the background."""
        if self._task is not None:
            await self._delivery.safe(self._task)

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

    def _pending(self, decision: Decision) -> PendingSettlement:
        claim = self._claim
        return PendingSettlement(
            reservation_id=claim.reservation_id,
            scope=claim.scope,
            model=claim.model,
            start_time=claim.start_time,
            held=claim.terms.held,
            decision=decision,
            unreserved=self._unreserved,
        )
