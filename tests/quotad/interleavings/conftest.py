"""One database for all runs: each has a key and ids of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import postgres


@pytest.fixture(scope="package")
def ledger_url(postgres_server: postgres.Server, template_database: str) -> Iterator[str]:
    with postgres.database(postgres_server, template_database) as url:
        yield url
