from collections.abc import AsyncIterator

import pytest
from cryptography.fernet import Fernet
from sqlalchemy.ext.asyncio import AsyncEngine

from proxy.accounts.opening import Accounts, open_accounts
from proxy.accounts.pool import AccountPool
from proxy.demo_upstream import serving
from proxy.demo_upstream.running import Serving
from proxy.outgoing import Outgoing
from proxy.records.secrets import SecretBox
from servicekit.database import create_engine
from servicekit.listening import Listen
from tests.proxy.accounts.world import SETTINGS, World


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(database_url, connections_max=10, application_name="test accounts")
    yield engine
    await engine.dispose()


@pytest.fixture
def box() -> SecretBox:
    return SecretBox(Fernet.generate_key(), "the test's key")


@pytest.fixture
async def outgoing() -> AsyncIterator[Outgoing]:
    async with Outgoing(timeout_seconds=5) as client:
        yield client


@pytest.fixture
async def demo() -> AsyncIterator[Serving]:
    async with serving(Listen("127.0.0.1", 0), strict=True) as running:
        yield running


@pytest.fixture
def world(engine: AsyncEngine, box: SecretBox, demo: Serving) -> World:
    return World(engine, box, demo)


@pytest.fixture
async def running(engine: AsyncEngine, box: SecretBox, outgoing: Outgoing) -> AsyncIterator[Accounts]:
    """A replica's accounts; they are added while it runs."""
    async with open_accounts(engine, SETTINGS, box, outgoing) as accounts:
        yield accounts


@pytest.fixture
async def other_running(engine: AsyncEngine, box: SecretBox, outgoing: Outgoing) -> AsyncIterator[Accounts]:
    """Another replica's."""
    async with open_accounts(engine, SETTINGS, box, outgoing) as accounts:
        yield accounts


@pytest.fixture
def pool(running: Accounts) -> AccountPool:
    return running.pool


@pytest.fixture
def other_pool(other_running: Accounts) -> AccountPool:
    return other_running.pool
