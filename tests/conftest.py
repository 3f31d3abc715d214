"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer  # type: ignore[import-untyped]
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from tests.support import postgres
from tests.support.extent import Extent

# gRPC's handlers around fork abort the child of a process with calls under way, and no child of ours goes on with gRPC.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"

settings.register_profile("quick", deadline=None)
settings.register_profile("thorough", deadline=None, max_examples=2_000)
settings.load_profile("quick")


ONE_STACK = ("tests/browser", "tests/docs", "tests/faults/points", "tests/journeys")
"""Folders whose tests share one running stack: in two workers there would be two of them."""


class ByFolderWhereShared(LoadScopeScheduling):  # type: ignore[misc]
    """Gives the tests of a folder of `ONE_STACK` to one worker, and spreads all others one by one."""

    def _split_scope(self, nodeid: str) -> str:
        folder = nodeid.rpartition("::")[0].rpartition("/")[0]
        return folder if folder in ONE_STACK else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFolderWhereShared:
    return ByFolderWhereShared(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="fault tests in their long form, which takes minutes")
    parser.addoption("--report", type=Path, help="where fault tests note what they did, a line each")


@pytest.fixture
def extent(request: pytest.FixtureRequest) -> Extent:
    options = request.config
    return Extent(options.getoption("long"), options.getoption("report"), request.node.name)


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
