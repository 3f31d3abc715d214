"""One running stack for all journeys; each makes the keys that it needs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import pytest

from quotad.client.connection import Connection
from quotad.client.data import DataClient
from tests.support.processes import REPOSITORY, command
from tests.support.stack import RunningStack, running_stack

LEASE_SECONDS = 3


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key made with `quotad keys create`."""

    api_key_id: str
    secret: str


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    settings = {"PROXY_LEASE_SECONDS": str(LEASE_SECONDS)}
    with running_stack(tmp_path_factory.mktemp("stack"), settings=settings) as running:
        yield running


def create_key(stack: RunningStack, name: str, *limits: str) -> MadeKey:
    """What an operator types beside a running stack."""
    argv = [command("quotad"), "keys", "create", name, "--json"]
    for limit in limits:
        argv += ["--limit", limit]
    done = subprocess.run(argv, env=stack.environment(), cwd=REPOSITORY, check=True, capture_output=True, timeout=20)
    made = json.loads(done.stdout)
    return MadeKey(made["api_key_id"], made["secret"])


def connect(stack: RunningStack) -> Connection:
    return Connection(stack.ready["quotad"], stack.ready["quotad_data_token"])


async def counters(stack: RunningStack, key: MadeKey, metric: str) -> tuple[int, int]:
    """`used` and `held` of the key's limit on `metric`, from the ledger itself."""
    async with connect(stack) as connection:
        description = await DataClient(connection).describe_key(api_key_id=key.api_key_id)
    status = next(found for found in description.limits if found.limit.metric == metric)
    return status.used, status.held


def listener_of(url: str) -> psutil.Process:
    """The process that listens on the port of this URL."""
    port = int(url.rsplit(":", 1)[1])
    found = next(
        connection
        for connection in psutil.net_connections("tcp")
        if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN
    )
    assert found.pid is not None
    return psutil.Process(found.pid)
