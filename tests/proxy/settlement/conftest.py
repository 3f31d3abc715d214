from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.proxy.settlement.ledger import Ledger, open_ledger


@pytest.fixture
async def ledger(database_url: str, tmp_path: Path) -> AsyncIterator[Ledger]:
    async with open_ledger(database_url, tmp_path / "outbox") as ledger:
        yield ledger
