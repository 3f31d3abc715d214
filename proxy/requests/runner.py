"""All running requests of a process: admission, the task group they live in, and how they are stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import structlog

from proxy.accounts.pool import AccountPool
from proxy.config import ProxySettings
from proxy.errors import KeyBusy, ServerBusy
from proxy.metering.price_book import PriceBook
from proxy.request_log import RequestLogWriter
from proxy.requests.drains import Drains
from proxy.requests.handle import RequestHandle
from proxy.requests.hold_errors import HoldErrors
from proxy.requests.leases import LeaseKeeper
from proxy.requests.outage import Outage
from proxy.requests.shares import OpenRequests, Place
from proxy.requests.task import RequestTask, Services
from proxy.requests.types import ProxyRequest
from proxy.settlement.delivery import Delivery
from proxy.upstream import Upstream
from quotad.client.connection import Connection
from quotad.client.data import DataClient
from servicekit.background import in_background

log = structlog.get_logger(__name__)


class RequestRunner:
    """Starts requests; leaving its block stops them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        settings = services.settings
        self._open = OpenRequests(streams_max=settings.streams_max, key_streams_max=settings.key_streams_max)
        self._group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[None]] = set()
        self._admits = True

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()
        await self._group.__aexit__(kind, error, traceback)

    @property
    def notes(self) -> tuple[str, ...]:
        """What an operator should know although requests are served."""
        failure = self._services.delivery.failure
        return () if failure is None else (f"outbox unusable: {failure}",)

    @property
    def running(self) -> int:
        """Requests under way, those that drain included."""
        return len(self._tasks)

    def start(self, request: ProxyRequest) -> RequestHandle:
        """Start the request's task, which from here on writes its log row; raises `ServerBusy` or `KeyBusy`."""
        api_key_id = request.key.api_key.api_key_id if request.key else None
        self._find_place(api_key_id)
        owner = RequestTask(request, self._services)
        task = self._group.create_task(_guarded(owner, request.request_id), name=f"request {request.request_id}")
        self._tasks.add(task)
        self._open.opened(api_key_id)

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self._open.ended(api_key_id)

        task.add_done_callback(ended)
        return owner.handle

    def _find_place(self, api_key_id: str | None) -> None:
        if not self._admits:
            raise ServerBusy("The server is stopping. Please try again.")
        if self._services.delivery.is_full:
            raise ServerBusy
        match self._open.find(api_key_id):
            case Place.KEY_FULL:
                raise KeyBusy(self._services.settings.key_streams_max)
            case Place.WORKER_FULL:
                raise ServerBusy
            case Place.FREE:
                return

    def close_admission(self) -> None:
        """Start nothing more."""
        self._admits = False

    async def stop(self) -> None:
        """Start nothing more, wait for what runs, bounded, and cancel the rest, which settles on its way out."""
        self.close_admission()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._services.settings.stop_seconds)
        cut = tuple(self._tasks)
        for task in cut:
            task.cancel()
        await asyncio.gather(*cut, return_exceptions=True)


@asynccontextmanager
async def open_runner(
    settings: ProxySettings,
    connection: Connection,
    accounts: AccountPool,
    request_log: RequestLogWriter,
    prices: Callable[[], PriceBook],
) -> AsyncIterator[RequestRunner]:
    """Everything that running requests need. Closing it ends them, then delivers what they have settled."""
    quota = DataClient(connection)
    hold_errors = HoldErrors(settings.metric_models_max)
    leases = LeaseKeeper(quota, settings.lease_seconds)
    async with (
        Upstream(settings) as upstream,
        Delivery(connection, settings) as delivery,
        in_background(leases.run(), "renew leases"),
        RequestRunner(
            Services(
                settings=settings,
                quota=quota,
                leases=leases,
                delivery=delivery,
                drains=Drains(settings.drains_max),
                outage=Outage(),
                accounts=accounts,
                upstream=upstream,
                request_log=request_log,
                prices=prices,
                hold_errors=hold_errors,
            )
        ) as runner,
    ):
        yield runner


async def _guarded(owner: RequestTask, request_id: str) -> None:
    try:
        await owner.run()
    except Exception:
        # It has settled and answered; a defect in one request must not end the others in the group.
        log.exception("request failed by a defect", request_id=request_id)
