"""The operator's settings: one row, versioned, and the cache that follows it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from proxy.following import following
from proxy.operator_settings import SettingsCache
from proxy.records.changes import Channel
from proxy.records.settings import (
    ModelPrices,
    OperatorSettings,
    OperatorSettingsInvalid,
    RoutingStrategy,
    SettingsConflict,
    parse_settings,
    read_settings,
    settings_json,
    write_settings,
)
from tests.support.waiting import eventually

DEFAULTS = OperatorSettings(hide_pool_limits=True)
ROUND_ROBIN = OperatorSettings(routing_strategy=RoutingStrategy.ROUND_ROBIN, request_log_retention_days=7)
CHANGE_SECONDS_MAX = 1.0


async def test_without_a_row_the_environments_defaults_hold(connection: AsyncConnection) -> None:
    stored = await read_settings(connection, DEFAULTS)
    assert (stored.settings, stored.version) == (DEFAULTS, 0)


async def test_what_is_written_is_read_again(connection: AsyncConnection) -> None:
    prices = {
        "gpt-5*": ModelPrices(Decimal("1.25"), Decimal(10), Decimal("0.125")),
        "mine": ModelPrices(Decimal(0), Decimal("0.1")),
    }
    settings = OperatorSettings(sticky=False, price_overrides=prices)
    assert await write_settings(connection, settings, expected_version=0) == 1
    stored = await read_settings(connection, DEFAULTS)
    assert (stored.settings, stored.version) == (settings, 1)


async def test_a_stale_version_is_refused_and_changes_nothing(connection: AsyncConnection) -> None:
    await write_settings(connection, ROUND_ROBIN, expected_version=0)
    for stale in (0, 7):
        with pytest.raises(SettingsConflict):
            await write_settings(connection, DEFAULTS, expected_version=stale)
    assert await write_settings(connection, ROUND_ROBIN, expected_version=1) == 2
    assert (await read_settings(connection, DEFAULTS)).settings == ROUND_ROBIN


async def test_of_two_writers_at_once_one_is_told(engine: AsyncEngine) -> None:
    async def write(settings: OperatorSettings) -> bool:
        async with engine.begin() as connection:
            try:
                await write_settings(connection, settings, expected_version=0)
            except SettingsConflict:
                return False
            return True

    assert sorted(await asyncio.gather(write(ROUND_ROBIN), write(DEFAULTS))) == [False, True]


async def test_a_field_that_the_row_lacks_has_its_default_and_one_of_a_later_program_is_passed_over(
    connection: AsyncConnection,
) -> None:
    content = '{"sticky": false, "of_a_later_program": 1}'
    await connection.execute(text(f"INSERT INTO proxy.settings (version, content) VALUES (3, '{content}')"))
    stored = await read_settings(connection, DEFAULTS)
    assert stored.settings == OperatorSettings(sticky=False, hide_pool_limits=True)
    assert stored.version == 3


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"routing_strategy": "fastest"}, "routing_strategy: Input should be 'usage_weighted'"),
        ({"sticky": "yes"}, "sticky: Input should be a valid boolean"),
        ({"request_log_retention_days": 0}, "request_log_retention_days: Input should be greater than 0"),
        ({"request_log_retention_days": 1.5}, "request_log_retention_days: Input should be a valid integer"),
        ({"unheard_of": 1}, "unheard_of: Unexpected keyword argument"),
        ({"price_overrides": {"m": {"input": "1"}}}, "price_overrides.m.output: Field required"),
        ({"price_overrides": {"m": {"input": -1, "output": 1}}}, "price_overrides.m.input: Input should be greater"),
        (
            {"price_overrides": {"m": {"input": "NaN", "output": 1}}},
            "price_overrides.m.input: Input should be a finite",
        ),
        ({"price_overrides": {"a*b": {"input": 1, "output": 1}}}, "must be the name of a model"),
        ({"price_overrides": {"": {"input": 1, "output": 1}}}, "must be the name of a model"),
    ],
)
def test_what_cannot_be_used_is_named(content: Mapping[str, Any], says: str) -> None:
    with pytest.raises(OperatorSettingsInvalid) as caught:
        parse_settings(content)
    assert says in str(caught.value)


def test_json_and_settings_are_each_others_inverse() -> None:
    settings = OperatorSettings(price_overrides={"gpt-5*": ModelPrices(Decimal("0.1"), Decimal("1e-3"))})
    assert parse_settings(settings_json(settings)) == settings


async def test_the_cache_follows_within_a_second(engine: AsyncEngine) -> None:
    """C4: the settings in effect are memory; the database tells of changes."""
    cache = SettingsCache(engine, DEFAULTS)
    await cache.read()
    assert (cache.current, cache.version) == (DEFAULTS, 0)
    async with following(engine, {Channel.SETTINGS: cache.read}):
        async with engine.begin() as connection:
            await write_settings(connection, ROUND_ROBIN, expected_version=0)
        await eventually(lambda: cache.current == ROUND_ROBIN, CHANGE_SECONDS_MAX)


async def test_a_row_that_cannot_be_used_leaves_the_settings_as_they_are(engine: AsyncEngine) -> None:
    cache = SettingsCache(engine, DEFAULTS)
    async with engine.begin() as connection:
        await write_settings(connection, ROUND_ROBIN, expected_version=0)
    await cache.read()
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE proxy.settings SET content = '{\"sticky\": 7}', version = 2"))
    await cache.read()
    assert (cache.current, cache.version) == (ROUND_ROBIN, 1)
