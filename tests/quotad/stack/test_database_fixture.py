import asyncpg
import pytest


@pytest.mark.parametrize("turn", [1, 2])
async def test_each_test_has_a_fresh_database_with_all_schemas(database_url: str, turn: int) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("CREATE TABLE left_behind (id int)")
        schemas = {row["nspname"] for row in await connection.fetch("SELECT nspname FROM pg_namespace")}
        assert schemas >= {"quotad", "proxy", "dashboard"}
    finally:
        await connection.close()
