"""The operator's settings as a worker knows them: read at the start and at every change, never for a request (C4)."""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from proxy.config import ProxySettings
from proxy.metering.price_book import PriceBook
from proxy.price_overrides import PriceOverride
from proxy.records.settings import (
    ModelPrices,
    OperatorSettings,
    OperatorSettingsInvalid,
    StoredSettings,
    read_settings,
)

READ_SECONDS_MAX = 5.0

log = structlog.get_logger(__name__)


def environment_defaults(settings: ProxySettings) -> OperatorSettings:
    """What holds where the operator has stored nothing."""
    return OperatorSettings(
        routing_strategy=settings.routing_strategy,
        sticky=settings.sticky,
        hide_pool_limits=settings.hide_pool_limits,
        request_log_retention_days=settings.request_log_retention_days,
        price_overrides={
            own.model_pattern: ModelPrices(own.input_usd, own.output_usd, own.cached_input_usd)
            for own in settings.price_overrides
        },
    )


def price_book(settings: OperatorSettings) -> PriceBook:
    """The operator's own prices before those that the program knows."""
    return PriceBook(
        PriceOverride(pattern, prices.input, prices.output, prices.cached_input)
        for pattern, prices in settings.price_overrides.items()
    )


class SettingsCache:
    """What `read` found last; the environment's defaults before that."""

    def __init__(self, engine: AsyncEngine, defaults: OperatorSettings) -> None:
        self._engine = engine
        self._defaults = defaults
        self._stored = StoredSettings(defaults, 0)
        self._prices = price_book(defaults)

    @property
    def current(self) -> OperatorSettings:
        return self._stored.settings

    @property
    def version(self) -> int:
        return self._stored.version

    def prices(self) -> PriceBook:
        """The prices in force."""
        return self._prices

    async def read(self) -> None:
        """Read the row; one that cannot be understood leaves what is known. Raises the database's errors."""
        try:
            async with asyncio.timeout(READ_SECONDS_MAX), self._engine.connect() as connection:
                stored = await read_settings(connection, self._defaults)
        except OperatorSettingsInvalid as exc:
            log.error("stored settings cannot be used", error=str(exc), version=self.version)  # noqa: TRY400
            return
        if stored != self._stored:
            self._stored, self._prices = stored, price_book(stored.settings)
