import re

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.records.tables import SCHEMA, metadata


async def test_the_tables_are_those_that_the_migrations_make(connection: AsyncConnection) -> None:
    assert await connection.run_sync(differences) == []


def differences(connection: Connection) -> list[object]:
    def is_ours(name: str | None, kind: str, _parents: object) -> bool:
        is_partition = kind == "table" and name is not None and re.search(r"_(default|\d{8})$", name)
        return name == SCHEMA if kind == "schema" else name != "alembic_version" and not is_partition

    options = {
        "include_schemas": True,
        "include_name": is_ours,
        "compare_type": True,
        "compare_server_default": True,
    }
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))
