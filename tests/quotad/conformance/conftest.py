"""One daemon in a process of its own for the whole folder, and each way of reaching it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import asyncpg
import pytest

from quotad.client.admin import AdminClient
from quotad.client.connection import Connection
from quotad.store.audit import differences
from tests.quotad.conformance.batch import Batch
from tests.quotad.conformance.coalesced import Client
from tests.quotad.conformance.exchange import Exchange
from tests.quotad.conformance.ledger import Ledger
from tests.quotad.conformance.transport import Messages, Transport
from tests.quotad.conformance.unary import Unary
from tests.support import clock, postgres
from tests.support.daemons import ADMIN_TOKEN, DATA_TOKEN
from tests.support.processes import command, running

READY = re.compile(r'"address": "([^"]+)"')
TRANSPORTS: dict[str, Callable[[str, str], Transport]] = {
    "unary": Unary,
    "batch": Batch,
    "exchange": Exchange,
    "client": Client,
}
MESSAGES: dict[str, Callable[[str, str], Messages]] = {"batch": Batch, "exchange": Exchange}


@dataclass(frozen=True, slots=True)
class Server:
    """A daemon on a database whose clock can be moved."""

    address: str
    database_url: str


@pytest.fixture(scope="session")
def server(
    postgres_server: postgres.Server, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("conformance")
    with postgres.database(postgres_server, template_database) as url:
        postgres.run_apart(clock.prepare(url))
        env = {
            "QUOTAD_DATABASE_URL": url,
            "QUOTAD_BOOTSTRAP_DATA_TOKEN": DATA_TOKEN,
            "QUOTAD_BOOTSTRAP_ADMIN_TOKEN": ADMIN_TOKEN,
        }
        argv = [command("quotad"), "serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]
        with running(argv, directory / "log", env=env, cwd=directory) as process:
            found = READY.search(process.wait_for_output("quotad is ready"))
            assert found is not None
            yield Server(found.group(1), url)


@pytest.fixture(params=TRANSPORTS)
async def transport(request: pytest.FixtureRequest, server: Server) -> AsyncIterator[Transport]:
    transport = TRANSPORTS[request.param](server.address, DATA_TOKEN)
    yield transport
    await transport.close()


@pytest.fixture
async def ledger(server: Server, transport: Transport) -> AsyncIterator[Ledger]:
    """The ledger; whatever a test did, it must add up when the test ends."""
    connection = await asyncpg.connect(server.database_url)
    async with Connection(server.address, ADMIN_TOKEN) as admin:
        yield Ledger(transport, AdminClient(admin, "tests"), connection, server.database_url)
    await connection.close()
    assert await differences(server.database_url) == []


@pytest.fixture(params=MESSAGES)
async def messages(request: pytest.FixtureRequest, server: Server) -> AsyncIterator[Messages]:
    """A transport that carries several operations in one message."""
    messages = MESSAGES[request.param](server.address, DATA_TOKEN)
    yield messages
    await messages.close()
