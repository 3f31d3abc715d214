"""What the operator changes while the proxies run: one row with a version, so that no edit undoes another unseen."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.records.tables import settings

RETENTION_DAYS_MAX = 3_650
PRICE_USD_MAX = 1_000_000
PRICE_OVERRIDES_MAX = 1_000
"""A table that one person keeps has a few dozen."""
MODEL_PATTERN = re.compile(r"[\x21-\x29\x2b-\x7e]{0,256}\*?")
"""An exact name, or `prefix*`."""


class SettingsError(Exception):
    """Settings that cannot be stored; the message says why."""


class OperatorSettingsInvalid(SettingsError):
    """A field is unknown, missing or out of its bounds; the message names each."""


class SettingsConflict(SettingsError):
    """The settings were changed by someone else since they were read."""


class RoutingStrategy(StrEnum):
    """Which of the usable accounts serves next."""

    USAGE_WEIGHTED = "usage_weighted"
    """The more of its tightest window is left, the more requests an account gets."""
    ROUND_ROBIN = "round_robin"
    PREFER_EARLIER_RESET = "prefer_earlier_reset"
    """The account whose longer window resets soonest, since what it leaves unused is lost then."""


def _model_pattern(value: str) -> str:
    if not value or not MODEL_PATTERN.fullmatch(value):
        raise ValueError("must be the name of a model, or the beginning of names followed by *")
    return value


UsdPerMillion = Annotated[Decimal, Field(ge=0, le=PRICE_USD_MAX, allow_inf_nan=False)]
ModelPattern = Annotated[str, AfterValidator(_model_pattern)]


@dataclass(frozen=True, slots=True)
class ModelPrices:
    """A model's prices in USD per million tokens; without `cached_input` cached tokens cost what others do."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    input: UsdPerMillion
    output: UsdPerMillion
    cached_input: UsdPerMillion | None = None


@dataclass(frozen=True, slots=True)
class OperatorSettings:
    """The settings; the defaults are those of the environment's variables of the same names."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    routing_strategy: RoutingStrategy = RoutingStrategy.USAGE_WEIGHTED
    sticky: bool = True
    """Requests with one `prompt_cache_key` go to one account while it is usable."""
    hide_pool_limits: bool = False
    """Callers are not told how much of the accounts' windows is used."""
    request_log_retention_days: Annotated[int, Field(gt=0, le=RETENTION_DAYS_MAX)] = 30
    price_overrides: Annotated[Mapping[ModelPattern, ModelPrices], Field(max_length=PRICE_OVERRIDES_MAX)] = field(
        default_factory=dict
    )
    """Model pattern to prices, where the built-in price list is wrong or knows none."""


@dataclass(frozen=True, slots=True)
class StoredSettings:
    """The settings in effect and their version: 0 where none were stored, and the environment's hold."""

    settings: OperatorSettings
    version: int


ADAPTER = TypeAdapter(OperatorSettings)
FIELDS = frozenset(each.name for each in fields(OperatorSettings))


def parse_settings(content: Mapping[str, Any]) -> OperatorSettings:
    """Settings from JSON, absent fields with their defaults; raises `OperatorSettingsInvalid`."""
    try:
        return ADAPTER.validate_json(json.dumps(content, default=str))
    except ValidationError as exc:
        raise OperatorSettingsInvalid(_said(exc)) from exc


def settings_json(value: OperatorSettings) -> dict[str, Any]:
    """The settings as JSON that `parse_settings` reads; amounts of money are strings."""
    shown: dict[str, Any] = ADAPTER.dump_python(value, mode="json")
    return shown


async def read_settings(connection: AsyncConnection, defaults: OperatorSettings) -> StoredSettings:
    """What is stored, and `defaults` for the rest; fields of a later program are passed over.

    Raises `OperatorSettingsInvalid`.
    """
    row = (await connection.execute(select(settings.c.version, settings.c.content))).one_or_none()
    if row is None:
        return StoredSettings(defaults, 0)
    known = {name: value for name, value in row.content.items() if name in FIELDS}
    return StoredSettings(parse_settings(settings_json(defaults) | known), row.version)


async def write_settings(connection: AsyncConnection, value: OperatorSettings, *, expected_version: int) -> int:
    """Store the settings if `expected_version` is still the version, and return the one after it.

    Running proxies follow within a second. Raises `OperatorSettingsInvalid` and `SettingsConflict`.
    """
    content = settings_json(parse_settings(settings_json(value)))
    if expected_version == 0:
        statement = insert(settings).values(version=1, content=content).on_conflict_do_nothing()
        written = await connection.execute(statement.returning(settings.c.version))
    else:
        changed = {"version": settings.c.version + 1, "content": content, "update_time": func.now()}
        change = update(settings).where(settings.c.version == expected_version).values(changed)
        written = await connection.execute(change.returning(settings.c.version))
    version: int | None = written.scalar_one_or_none()
    if version is None:
        raise SettingsConflict("the settings were changed since they were read: read them again")
    return version


def _said(exc: ValidationError) -> str:
    """Each problem with the name of its field, on one line and without the values."""
    problems = (
        f"{'.'.join(str(part) for part in error['loc']) or 'settings'}: {error['msg']}"
        for error in exc.errors(include_url=False, include_input=False)
    )
    return "; ".join(problems)
