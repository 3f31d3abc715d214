"""What an earlier version left in the database still holds after the migrations that came later."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import asyncpg
import pytest
from alembic import command
from sqlalchemy import Connection, text

from quotad.administration import TokenRole
from quotad.core.keys import KeyChanges
from quotad.core.operations import Reserve
from quotad.store import Store, StoreSettings
from quotad.store.configuration import secret_hash
from quotad.store.tokens import Token
from quotad.values import KeyPolicies, OnMissingUsage, Subject
from servicekit.database import connect, create_engine
from servicekit.migrations import Migrations, migrate
from tests.quotad.store.conftest import limit
from tests.support import postgres

MIGRATIONS = Migrations("quotad")
SECRET = "sk-quota-of-an-earlier-version"

ROWS = """
INSERT INTO quotad.tenants (tenant_id) VALUES ('default');
INSERT INTO quotad.api_keys (
    tenant_id, api_key_id, name, secret_prefix, disabled, allowed_models, on_missing_usage, default_output_tokens,
    request_id, etag, create_time, update_time
) VALUES ('default', 'key_1', 'old', 'sk-quota-of-a', false, '{}', 'estimate', 7, 'first', 'etag', now(), now());
INSERT INTO quotad.api_key_tenants (api_key_id, tenant_id) VALUES ('key_1', 'default');
INSERT INTO quotad.limits (
    tenant_id, limit_id, api_key_id, metric, window_kind, window_seconds, time_zone, model_pattern, max_value,
    enforcement, position, create_time
) VALUES (
    'default', gen_random_uuid(), 'key_1', 'total_tokens', 'day', 0, 'UTC', '', 100, 'enforce', 0, now()
);
"""


@pytest.fixture
def empty_database(postgres_server: postgres.Server) -> Iterator[str]:
    name = f"empty_{secrets.token_hex(6)}"
    postgres_server.execute(f"CREATE DATABASE {name}")
    yield postgres_server.url_of(name)
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def migrate_to(database_url: str, revision: str) -> None:
    engine = create_engine(database_url, connections_max=1, application_name="tests")
    async with connect(engine) as connection, connection.begin():
        await connection.run_sync(upgrade, revision)
    await engine.dispose()


def upgrade(connection: Connection, revision: str) -> None:
    connection.execute(text("CREATE SCHEMA quotad"))
    config = MIGRATIONS.config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def test_keys_limits_and_tokens_of_the_first_version_still_hold(empty_database: str) -> None:
    await migrate_to(empty_database, "0001")
    connection = await asyncpg.connect(empty_database)
    await connection.execute(ROWS)
    await connection.execute(
        "INSERT INTO quotad.api_key_secrets (secret_hash, tenant_id, api_key_id) VALUES ($1, 'default', 'key_1')",
        secret_hash(SECRET),
    )
    await connection.execute(
        "INSERT INTO quotad.service_tokens (token_hash, name, role) VALUES ($1, 'bootstrap-data', 'data')",
        secret_hash("a-token-of-an-earlier-version"),
    )
    await connection.close()
    await migrate(empty_database, MIGRATIONS)

    store = await Store.open(StoreSettings(empty_database))
    granted = await store.ledger.reserve(Reserve("r", Subject(api_key=SECRET), "m", {"total_tokens": 60}))
    key = (await store.keys.get("default", "key_1")).api_key
    edited = await store.keys.update("default", "key_1", KeyChanges(limits=(limit(max_value=70),)), key.etag)
    known = await store.tokens.load()
    listed, _ = await store.tokens.list(page_size=10, page_token="")
    await store.close()
    assert [hold.held for hold in granted.reservation.holds] == [60]
    assert (key.group_id, key.policies) == ("", KeyPolicies(OnMissingUsage.ESTIMATE, 7))
    assert [rule.limit_id for rule in edited.limits] == [rule.limit_id for rule in key.limits]
    assert list(known.values()) == [Token("bootstrap-data", TokenRole.DATA)]
    assert listed[0].token_id.startswith("tok_")
