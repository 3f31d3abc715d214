"""Migrations as a library call: one alembic environment per service, its version table in the service's schema.

`migrate` may run in several processes at once: an advisory lock makes them take turns, and the second finds nothing
to do. `serve` commands call `require_current` and never migrate.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

from alembic import command, context
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from servicekit.database import DatabaseUnusable, connect, create_engine, first_line


@dataclass(frozen=True, slots=True)
class Migrations:
    """Where a service keeps its migrations: the package `<name>.migrations`, the schema `<name>`."""

    name: str

    def config(self) -> Config:
        config = Config()
        config.set_main_option("script_location", f"{self.name}:migrations")
        config.attributes["schema"] = self.name
        return config


class SchemaUnknown(RuntimeError):
    """The database's schema is not the one that this program knows."""


async def migrate(database_url: str, migrations: Migrations) -> str:
    """Bring the service's schema to this program's version; returns the version. Safe to repeat.

    Raises `DatabaseUnusable`.
    """
    engine = create_engine(database_url, connections_max=1, application_name=f"{migrations.name} migrate")
    try:
        async with connect(engine) as connection, connection.begin():
            await connection.run_sync(_upgrade, migrations)
    except DBAPIError as exc:
        raise DatabaseUnusable(f"the database refuses the migration of {migrations.name}: {first_line(exc)}") from exc
    finally:
        await engine.dispose()
    return known_version(migrations)


async def require_current(engine: AsyncEngine, migrations: Migrations) -> None:
    """Raise `SchemaUnknown` unless the schema is at exactly this program's version, or `DatabaseUnusable`."""
    async with connect(engine) as connection:
        found = await connection.run_sync(_current, migrations)
    head = known_version(migrations)
    if found != head:
        raise SchemaUnknown(
            f"the schema {migrations.name!r} is at version {found or 'none'}, this program needs {head}: "
            f"run its migrate command first, or the program that belongs to the database"
        )


def run_environment() -> None:
    """Body of every service's `migrations/env.py`."""
    connection: Connection = context.config.attributes["connection"]
    schema: str = context.config.attributes["schema"]
    context.configure(connection=connection, version_table_schema=schema)
    with context.begin_transaction():
        context.run_migrations()


def _upgrade(connection: Connection, migrations: Migrations) -> None:
    key = crc32(f"migrate {migrations.name}".encode())
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
    connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{migrations.name}"'))
    config = migrations.config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _current(connection: Connection, migrations: Migrations) -> str | None:
    options = {"version_table_schema": migrations.name}
    return MigrationContext.configure(connection, opts=options).get_current_revision()


def known_version(migrations: Migrations) -> str:
    """The version that this program needs."""
    head = ScriptDirectory.from_config(migrations.config()).get_current_head()
    if head is None:
        raise SchemaUnknown(f"the package {migrations.name} has no migrations")
    return head
