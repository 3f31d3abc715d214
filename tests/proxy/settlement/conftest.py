from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.proxy.settlement.ledger import Ledger, open_ledger


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[Ledger]:
    async with open_ledger(database_url) as ledger:
        yield ledger
