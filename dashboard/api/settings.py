"""What the operator changes while the proxies run: read and written as a whole, by version."""

from __future__ import annotations

import json
from decimal import Decimal

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from dashboard.api.schema import Answer, Input
from dashboard.audit import Change, Facts, note
from dashboard.auth.step_up import STEPPED_UP
from dashboard.edit_errors import SettingsConflict, SettingsUnreadable
from dashboard.errors import (
    InvalidInput,
)
from dashboard.services import Actor, ServicesNeeded
from proxy.records import settings as records
from proxy.records.settings import OperatorSettings, RoutingStrategy, StoredSettings

router = APIRouter(prefix="/api/settings", tags=["settings"])

VERSION_MAX = 2**62


class ModelPrices(Answer):
    """A model's prices in USD per million tokens, as decimal numbers in text."""

    input: Decimal
    output: Decimal
    cached_input: Decimal | None
    """Null where cached tokens cost what others do."""


class Settings(Answer):
    """The settings that all proxies follow."""

    version: int
    """Changes with every edit. 0 where nothing is stored: then each proxy goes by its own environment, which this
    service does not know, and the values here are the defaults."""
    routing_strategy: RoutingStrategy
    sticky: bool
    """Requests with one `prompt_cache_key` go to one account while it is usable."""
    hide_pool_limits: bool
    """Callers are not told how much of the accounts' windows is used."""
    request_log_retention_days: int
    price_overrides: dict[str, ModelPrices]
    """Model, exact or `prefix*`, to the prices that go before the built-in list."""


class NewModelPrices(Input):
    """A model's prices in USD per million tokens."""

    input: Decimal = Field(ge=0)
    output: Decimal = Field(ge=0)
    cached_input: Decimal | None = Field(default=None, ge=0, description="Null costs what other input does.")


class NewSettings(Input):
    """All settings; nothing can be left out."""

    version: int = Field(ge=0, le=VERSION_MAX, description="The version that the edit was made from.")
    routing_strategy: RoutingStrategy
    sticky: bool
    hide_pool_limits: bool
    request_log_retention_days: int
    price_overrides: dict[str, NewModelPrices]

    def value(self) -> OperatorSettings:
        return OperatorSettings(
            routing_strategy=self.routing_strategy,
            sticky=self.sticky,
            hide_pool_limits=self.hide_pool_limits,
            request_log_retention_days=self.request_log_retention_days,
            price_overrides={
                model: records.ModelPrices(prices.input, prices.output, prices.cached_input)
                for model, prices in self.price_overrides.items()
            },
        )


@router.get("")
async def get_settings(services: ServicesNeeded) -> Settings:
    """Read the settings and their version."""
    async with services.database.transaction() as connection:
        return settings_answer(await _read(connection))


@router.put("", dependencies=[STEPPED_UP])
async def put_settings(body: NewSettings, services: ServicesNeeded, actor: Actor) -> Settings:
    """Replace the settings if nobody else did meanwhile; running proxies follow within a second."""
    value = body.value()
    async with services.database.transaction() as connection:
        before = await _read(connection)
        try:
            version = await records.write_settings(connection, value, expected_version=body.version)
        except records.OperatorSettingsInvalid as exc:
            raise InvalidInput(f"{exc}.") from exc
        except records.SettingsConflict as exc:
            raise SettingsConflict from exc
        change = Change("update", "settings", before=facts(before.settings), after=facts(value))
        await note(connection, actor, change)
    return settings_answer(StoredSettings(value, version))


async def _read(connection: AsyncConnection) -> StoredSettings:
    try:
        return await records.read_settings(connection, OperatorSettings())
    except records.OperatorSettingsInvalid as exc:
        raise SettingsUnreadable(f"The stored settings cannot be read: {exc}.") from exc


def facts(settings: OperatorSettings) -> Facts:
    """What the log of changes keeps of the settings."""
    shown = records.settings_json(settings)
    return {**shown, "price_overrides": json.dumps(shown["price_overrides"])}


def settings_answer(stored: StoredSettings) -> Settings:
    settings = stored.settings
    return Settings(
        version=stored.version,
        routing_strategy=settings.routing_strategy,
        sticky=settings.sticky,
        hide_pool_limits=settings.hide_pool_limits,
        request_log_retention_days=settings.request_log_retention_days,
        price_overrides={
            model: ModelPrices(input=prices.input, output=prices.output, cached_input=prices.cached_input)
            for model, prices in settings.price_overrides.items()
        },
    )
