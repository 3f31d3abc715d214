"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support import postgres

settings.register_profile("quick", deadline=None)
settings.register_profile("thorough", deadline=None, max_examples=2_000)
settings.load_profile("quick")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    with postgres.server() as server:
        yield server


@pytest.fixture(scope="session")
def template_database(postgres_server: postgres.Server) -> Iterator[str]:
    with postgres.template(postgres_server) as name:
        yield name


@pytest.fixture
def database_url(postgres_server: postgres.Server, template_database: str) -> Iterator[str]:
    """A `postgresql://` URL of a database of the test's own, with the current schemas of all three services."""
    with postgres.database(postgres_server, template_database) as url:
        yield url
