"""The operator's settings as a worker knows them: read at the start and at every change, never for a request (C4)."""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from proxy.config import ProxySettings
from proxy.records.settings import OperatorSettings, OperatorSettingsInvalid, StoredSettings, read_settings

READ_SECONDS_MAX = 5.0

log = structlog.get_logger(__name__)


def environment_defaults(settings: ProxySettings) -> OperatorSettings:
    """What holds where the operator has stored nothing."""
    return OperatorSettings(
        routing_strategy=settings.routing_strategy,
        sticky=settings.sticky,
        hide_pool_limits=settings.hide_pool_limits,
        request_log_retention_days=settings.request_log_retention_days,
    )


class SettingsCache:
    """What `read` found last; the environment's defaults before that."""

    def __init__(self, engine: AsyncEngine, defaults: OperatorSettings) -> None:
        self._engine = engine
        self._defaults = defaults
        self._stored = StoredSettings(defaults, 0)

    @property
    def current(self) -> OperatorSettings:
        return self._stored.settings

    @property
    def version(self) -> int:
        return self._stored.version

    async def read(self) -> None:
        """Read the row; one that cannot be understood leaves what is known. Raises the database's errors."""
        try:
            async with asyncio.timeout(READ_SECONDS_MAX), self._engine.connect() as connection:
                self._stored = await read_settings(connection, self._defaults)
        except OperatorSettingsInvalid as exc:
            log.error("stored settings cannot be used", error=str(exc), version=self.version)  # noqa: TRY400
