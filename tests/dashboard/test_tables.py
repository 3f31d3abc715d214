from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from dashboard.tables import metadata
from tests.dashboard.world import Dashboard


async def test_the_tables_are_those_that_the_migrations_make(dashboard: Dashboard) -> None:
    async with dashboard.services.database.transaction() as connection:
        assert await connection.run_sync(differences) == []


def differences(connection: Connection) -> list[object]:
    def is_ours(name: str | None, kind: str, _parents: object) -> bool:
        return name == metadata.schema if kind == "schema" else name != "alembic_version"

    options = {
        "include_schemas": True,
        "include_name": is_ours,
        "compare_type": True,
        "compare_server_default": True,
    }
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))
