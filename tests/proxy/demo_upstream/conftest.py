from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, ClientTimeout

from proxy.demo_upstream import serving
from proxy.demo_upstream.running import Serving
from servicekit.listening import Listen


@pytest.fixture
async def demo() -> AsyncIterator[Serving]:
    async with serving(Listen("127.0.0.1", 0)) as running:
        yield running


@pytest.fixture
async def http(demo: Serving) -> AsyncIterator[ClientSession]:
    headers = {"authorization": "Bearer demo-key"}
    async with ClientSession(demo.url, headers=headers, timeout=ClientTimeout(total=10)) as session:
        yield session
