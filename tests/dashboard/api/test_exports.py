"""Tables as files: the request log piece by piece, keys and accounts."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from pathlib import Path

import pytest

from dashboard.api import request_logs
from proxy.records import write
from proxy.records.accounts import ApiKeyCredentials, NewAccount
from proxy.records.secrets import load_secret_box
from tests.dashboard.operating import Operating
from tests.dashboard.world import Dashboard, code_of
from tests.proxy.records.rows import START, a_row


async def test_the_log_is_written_whole_in_its_order_whatever_the_piece(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of one moment are told apart by their ids, also where a piece ends between them."""
    monkeypatch.setattr(request_logs, "PAGE_ROWS", 2)
    rows = [a_row(start_time=START + timedelta(seconds=number // 3)) for number in range(8)]
    async with dashboard.services.database.transaction() as connection:
        await write.insert_request_logs(connection, rows)
    order = sorted(rows, key=lambda row: (row.start_time, row.request_log_id), reverse=True)
    async with dashboard.signed_in() as operator:
        answer = await operator.get("/api/request-logs/export?format=json")
    assert [row["requestLogId"] for row in answer.json()] == [row.request_log_id for row in order]


NARROWED = [("model=gpt-4", 1), ("status=error", 1), ("search=needle", 1), ("since=2027-01-01T00:00:00Z", 0)]


async def test_the_filters_of_the_list_narrow_the_file(dashboard: Dashboard) -> None:
    rows = [a_row(model="gpt-4"), a_row(status="error"), a_row(error_message="=1+1", model="needle-model")]
    async with dashboard.services.database.transaction() as connection:
        await write.insert_request_logs(connection, rows)
    async with dashboard.signed_in() as operator:
        for query, many in (
            ("model=gpt-4", 1),
            ("status=error", 1),
            ("search=needle", 1),
            ("since=2027-01-01T00:00:00Z", 0),
        ):
            text = (await operator.get(f"/api/request-logs/export?format=csv&{query}")).text
            found = list(csv.DictReader(io.StringIO(text, newline="")))
            assert len(found) == many, query
        [needle] = (await operator.get("/api/request-logs/export?format=json&search=needle")).json()
        assert needle["errorMessage"] == "=1+1"
        text = (await operator.get("/api/request-logs/export?format=csv&search=needle")).text
        assert next(csv.DictReader(io.StringIO(text, newline="")))["errorMessage"] == "'=1+1"
        wrong = await operator.get("/api/request-logs/export?format=csv&status=fine")
        assert code_of(wrong) == (400, "invalid_request")


async def test_keys_and_accounts_come_without_their_secrets(scene: Operating, tmp_path: Path) -> None:
    key = await scene.key("alice")
    added = NewAccount("mine", "https://api.openai.com/v1", ApiKeyCredentials("sk-of-the-account"))
    async with scene.dashboard.services.database.transaction() as connection:
        await write.add_account(connection, added, load_secret_box(tmp_path / "key"))
    keys = await scene.operator.get("/api/api-keys/export?format=csv")
    accounts = await scene.operator.get("/api/accounts/export?format=json")
    assert key.api_key.api_key_id in keys.text
    assert [account["name"] for account in accounts.json()] == ["mine"]
    groups = await scene.operator.get("/api/groups/export?format=json")
    assert groups.json() == []
    entries = (await scene.operator.get("/api/audit/export?format=json&source=quotad")).json()
    assert [(entry["action"], entry["resourceKind"]) for entry in entries] == [("create", "api_key")]
    for secret in (key.secret, "sk-of-the-account"):
        assert secret not in keys.text + accounts.text
