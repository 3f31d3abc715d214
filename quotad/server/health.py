"""grpc.health.v1: SERVING while the database answers, NOT_SERVING otherwise and from the start of shutdown on."""

from __future__ import annotations

import asyncio

import structlog
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio

from protos.quota.v1 import quota_pb2 as pb
from quotad.errors import Overloaded, StoreUnavailable
from quotad.store import Store

CHECK_SECONDS = 1.0
PING_SECONDS_MAX = 8.0
"""Longer than the store's own bounds, so that a database that is merely busy is told from one that is away."""

SERVICES = ("", *(service.full_name for service in pb.DESCRIPTOR.services_by_name.values()))

log = structlog.get_logger(__name__)


class Health:
    """Serves the health of one store under the name of each service."""

    def __init__(self, store: Store) -> None:
        self.servicer = aio.HealthServicer()
        self._store = store
        self._is_up = False
        self._is_stopping = False

    @property
    def is_serving(self) -> bool:
        return self._is_up and not self._is_stopping

    async def check(self) -> None:
        """Ask the database once and tell it."""
        is_up = await _answers(self._store)
        if is_up != self._is_up:
            log.info("database answers" if is_up else "database is away")
        self._is_up = is_up
        status = health_pb2.HealthCheckResponse.SERVING if is_up else health_pb2.HealthCheckResponse.NOT_SERVING
        for service in SERVICES:
            await self.servicer.set(service, status)

    async def watch(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await self.check()
            try:
                async with asyncio.timeout(CHECK_SECONDS):
                    await stopping.wait()
            except TimeoutError:
                continue

    async def stop(self) -> None:
        """NOT_SERVING for good."""
        self._is_stopping = True
        await self.servicer.enter_graceful_shutdown()


async def _answers(store: Store) -> bool:
    try:
        async with asyncio.timeout(PING_SECONDS_MAX):
            await store.ping()
    except Overloaded:
        return True
    except (StoreUnavailable, TimeoutError):
        return False
    except Exception:
        # What cannot be checked is not said to serve; the watch itself must go on.
        log.exception("database check failed")
        return False
    return True
