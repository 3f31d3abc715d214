"""A `postgresql://` URL in the forms that people have it in."""

import pytest
from sqlalchemy import text

from servicekit.database import DatabaseUrlInvalid, asyncpg_url, connect, create_engine


def test_a_socket_directory_stays_in_the_query() -> None:
    url = asyncpg_url("postgresql://quota:word@/quota?host=%2Ftmp%2Fsockets")
    assert (url.drivername, url.query) == ("postgresql+asyncpg", {"host": "/tmp/sockets"})


def test_the_ssl_mode_of_a_managed_database_is_kept() -> None:
    assert asyncpg_url("postgresql://quota:word@db.example/quota?sslmode=require").query == {"ssl": "require"}


async def test_an_ssl_mode_connects(database_url: str) -> None:
    joint = "&" if "?" in database_url else "?"
    engine = create_engine(f"{database_url}{joint}sslmode=prefer", application_name="test")
    async with connect(engine) as connection:
        assert await connection.scalar(text("SELECT 1")) == 1
    await engine.dispose()


@pytest.mark.parametrize("wrong", ["", "nonsense", "mysql://u@h/d", "postgresql://[x", "postgresql://u@h:99999/d"])
def test_what_is_no_url_of_postgres_is_refused_without_its_password(wrong: str) -> None:
    with pytest.raises(DatabaseUrlInvalid) as refusal:
        asyncpg_url(wrong.replace("u@", "u:hidden-word@"))
    assert "hidden-word" not in str(refusal.value)
