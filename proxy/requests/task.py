"""One request from its reservation to its row in the log: one task, which outlives its caller.

    Reserve -> attempts over accounts -> relay -> settlement -> the end of the answer -> the log row

Every way out passes `_settle`, which hands the decision to delivery without an await in between: success, error,
exception, cancellation, the caller's leaving (S12). Errors are told to the caller after that, so that whoever sees
one finds the hold gone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from prometheus_client import Counter
from uuid_utils import uuid7

from proxy.accounts.pool import AccountPool
from proxy.config import CapOutput, ProxySettings
from proxy.errors import InternalError, ProxyError, QuotaUnavailable, ServerBusy, UpstreamTimeout
from proxy.metering.hold import HoldAmounts
from proxy.metering.price_book import PriceBook
from proxy.metering.pricing import COST
from proxy.metering.usage import Terminal
from proxy.request_log import RequestLogWriter
from proxy.requests.admission import (
    ReserveInDoubt,
    ReserveUncertain,
    hold_amounts,
    key_policies,
    key_scope,
    reserve,
    tariff_of,
)
from proxy.requests.attempts import Attempts
from proxy.requests.drains import Drains
from proxy.requests.handle import RequestHandle
from proxy.requests.hold_errors import HoldErrors
from proxy.requests.leases import LeaseKeeper
from proxy.requests.outage import Outage, counts_cost, may_serve
from proxy.requests.outcomes import Failed
from proxy.requests.patience import OutOfPatience, Patience
from proxy.requests.relay import Sink
from proxy.requests.reporting import Unreporting
from proxy.requests.rewriting import granted_output, rewrite
from proxy.requests.rows import RequestFacts, request_row
from proxy.requests.types import ProxyRequest
from proxy.settlement.decision import Ending, Evidence, Terms
from proxy.settlement.delivery import Delivery
from proxy.settlement.outbox import OutboxUnusable
from proxy.settlement.owner import Claim, SettlementOwner
from proxy.upstream import Upstream
from quotad.client.data import DataClient
from quotad.client.types import Basis, Grant

unreserved_requests = Counter("proxy_unreserved_requests", "Requests served although quotad was away.")


@dataclass(frozen=True, slots=True)
class Services:
    """What all requests of a process share."""

    settings: ProxySettings
    quota: DataClient
    leases: LeaseKeeper
    delivery: Delivery
    drains: Drains
    outage: Outage
    accounts: AccountPool
    upstream: Upstream
    request_log: RequestLogWriter
    prices: Callable[[], PriceBook]
    """The prices in force."""
    hold_errors: HoldErrors
    unreporting: Unreporting = field(default_factory=Unreporting)


class RequestTask:
    """The owner of one request."""

    def __init__(self, request: ProxyRequest, services: Services) -> None:
        settings = services.settings
        self._request = request
        self._services = services
        self._patience = Patience(
            services.drains,
            total_seconds=settings.upstream_total_seconds,
            drain_seconds=settings.drain_seconds,
            drain_bytes_max=settings.drain_bytes_max,
            grace_seconds=settings.leave_grace_seconds,
        )
        self.handle = RequestHandle(settings.queue_bytes_max, self._patience)
        self._evidence = Evidence()
        self._attempts = Attempts(
            request,
            Sink(self.handle, self._evidence, self._patience, self._settle_and_wait),
            accounts=services.accounts,
            upstream=services.upstream,
            unreporting=services.unreporting,
            settings=settings,
        )
        self._tariff = tariff_of(request, services.prices())
        self._owner: SettlementOwner | None = None
        self._hold: HoldAmounts | None = None
        self._grant: Grant | None = None
        self._is_served_anyway = False
        self._terminal: Terminal | None = None

    async def run(self) -> None:
        """To the end, whatever it is; a defect is raised after everything was settled and told."""
        error: ProxyError | None = InternalError()
        try:
            error = await self._serve()
        except asyncio.CancelledError:
            self._evidence.ending = Ending.ABANDONED if self.handle.has_left else Ending.CUT
            error = ServerBusy("The server is stopping. Please try again.")
            raise
        finally:
            await self._finish(error)

    async def _serve(self) -> ProxyError | None:
        """The error that the caller has to be told; None after a whole answer, or where nobody waits."""
        try:
            await self._reserve()
            return await self._attempt()
        except ReserveUncertain:
            return QuotaUnavailable()
        except ReserveInDoubt as doubt:
            return doubt.error
        except ProxyError as error:
            return error
        except OutOfPatience:
            if self.handle.has_left:
                self._evidence.ending = Ending.ABANDONED
                return None
            # Not to read is a way to leave.
            self._evidence.ending = Ending.ABANDONED if self.handle.is_stalled else Ending.CUT
            return UpstreamTimeout("The request took too long.")

    async def _reserve(self) -> None:
        if self._request.api_key is None:
            return
        settings = self._services.settings
        self._hold = hold = hold_amounts(self._request, settings, self._tariff)
        terms = Terms(
            hold.amounts, key_policies(self._request).on_missing_usage, settings.bytes_per_token, self._tariff
        )
        reservation_id = str(uuid7())
        claim = Claim(reservation_id, key_scope(self._request), self._request.model, self._request.start_time, terms)
        # From here on every way out settles the id, also while nobody knows whether it is held.
        self._owner = SettlementOwner(self._services.delivery, claim)
        try:
            grant = await self._ask(reservation_id, hold)
        except ReserveUncertain:
            if not await self._go_on_without(self._owner):
                raise
        except ProxyError:
            self._owner = None
            raise
        else:
            self._grant = grant
            self.handle.limits = grant.limits
            self._services.leases.keep(reservation_id, grant.reservation.tenant_id)
        self.handle.reservation_id = reservation_id

    async def _ask(self, reservation_id: str, hold: HoldAmounts) -> Grant:
        """Reserve, unless quotad was away a moment ago and the request may be served without it."""
        services, outage = self._services, self._services.outage
        if outage.is_known(time.monotonic()) and self._may_do_without():
            raise ReserveUncertain
        try:
            grant = await reserve(services.quota, self._request, reservation_id, hold, services.settings.lease_seconds)
        except ReserveUncertain:
            outage.note_failure(time.monotonic())
            raise
        except (ReserveInDoubt, ProxyError):
            outage.note_answer()
            raise
        outage.note_answer()
        return grant

    def _may_do_without(self) -> bool:
        request = self._request
        if request.key is None or request.api_key is None:
            return False
        key = request.key.api_key
        if not may_serve(key, request.api_key, request.model, datetime.now(UTC)):
            return False
        if self._tariff.expected is None and counts_cost(request.key.limits, request.model):
            return False
        return self._services.outage.has_room(key.api_key_id, key.policies.unavailable_allowance, time.monotonic())

    async def _go_on_without(self, owner: SettlementOwner) -> bool:
        """Whether the request is served although quotad is away: its charge is on the disk then."""
        key = self._request.key
        if key is None or not self._may_do_without():
            return False
        self._services.outage.count(key.api_key.api_key_id, time.monotonic())
        try:
            await owner.intend()
        except OutboxUnusable:
            return False
        self._is_served_anyway = True
        unreserved_requests.inc()
        return True

    async def _attempt(self) -> ProxyError | None:
        async with self._patience:
            outcome = await self._attempts.run(await rewrite(self._request, self._output_tokens_max()))
        if isinstance(outcome, Failed):
            return outcome.error
        self._terminal = outcome.terminal
        return None

    def _output_tokens_max(self) -> int | None:
        """What the answer may not pass; None where the caller's own maximum alone counts."""
        if self._services.settings.cap_output is CapOutput.OFF or self._hold is None or self._grant is None:
            return None
        return granted_output(self._hold, self._grant.reservation.reserved)

    def _settle(self) -> None:
        if self._owner is None:
            return
        self._owner.settle(self._evidence)
        self._services.leases.drop(self._owner.reservation_id)

    async def _settle_and_wait(self) -> None:
        self._settle()
        # A caller whom quotad's absence refuses need not wait: there is nothing that it could find held.
        if self._owner is not None and (self._grant is not None or self._is_served_anyway):
            await self._owner.safe()

    async def _finish(self, error: ProxyError | None) -> None:
        if error is not None:
            self._evidence.reason = error.code
        elif self.handle.has_left:
            self._evidence.reason = "caller left"
        try:
            await self._settle_and_wait()
        finally:
            self.handle.end(error)
            self._note_hold_error()
            self._services.request_log.note(request_row(self._request, self._facts(error)))

    def _note_hold_error(self) -> None:
        charge = self._owner.charge if self._owner else None
        if self._hold is not None and charge is not None and charge.basis is Basis.REPORTED:
            self._services.hold_errors.note(self._request.model, self._hold.amounts, charge.amounts)

    def _cost_microusd(self) -> int | None:
        charge = self._owner.charge if self._owner else None
        if charge is None:
            return None
        held = self._grant.reservation.reserved if self._grant and charge.basis is Basis.RESERVED else {}
        return {**held, **charge.amounts}.get(COST)

    def _facts(self, error: ProxyError | None) -> RequestFacts:
        owner = self._owner
        reservation = self._grant.reservation if self._grant else None
        return RequestFacts(
            reservation_id=owner.reservation_id if owner else None,
            tenant_id=reservation.tenant_id if reservation else None,
            api_key_id=reservation.api_key_id if reservation else None,
            account=self._attempts.account,
            attempts=tuple(self._attempts.rows),
            http_status=self.handle.status,
            error=error,
            terminal=self._terminal,
            has_left=self.handle.has_left,
            usage=self._evidence.usage,
            basis=owner.basis if owner else None,
            has_settlement=owner is not None,
            settled=owner.state if owner else None,
            first_byte_time=self.handle.first_byte_time,
            end_time=datetime.now(UTC),
            cost_microusd=self._cost_microusd(),
        )
