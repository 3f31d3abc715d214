"""Request-log rows for tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from uuid_utils import uuid7

from proxy.records.request_logs import STATUSES, AttemptRow, RequestLogRow

START = datetime(2026, 5, 1, tzinfo=UTC)


def a_row(**changes: Any) -> RequestLogRow:
    row = RequestLogRow(
        request_log_id=str(uuid7()),
        request_id="request-1",
        reservation_id="reservation-1",
        tenant_id="default",
        api_key_id="key-1",
        api_key_name="key one",
        account_id="account-1",
        account_name="account one",
        path="/v1/responses",
        model="gpt-5.1",
        stream=True,
        status="ok",
        http_status=200,
        error_code=None,
        error_message=None,
        input_tokens=10,
        cached_input_tokens=4,
        output_tokens=20,
        reasoning_tokens=0,
        total_tokens=30,
        basis="reported",
        settlement="finalized",
        attempts=(AttemptRow("account one", "done", 200, None, 12),),
        start_time=START,
        first_byte_ms=8,
        duration_ms=12,
        client_address="127.0.0.1",
        user_agent="test",
        denial=None,
    )
    return replace(row, **changes)


def many_rows(count: int) -> list[RequestLogRow]:
    """Rows that differ in everything that can be filtered, several of one moment."""
    return [
        a_row(
            request_id=f"request-{number}",
            api_key_id=f"key-{number % 3}",
            api_key_name=f"key {number % 3}",
            account_id=f"account-{number % 2}" if number % 5 else None,
            account_name=f"account {number % 2}" if number % 5 else None,
            model=f"model-{number % 4}",
            status=STATUSES[number % len(STATUSES)],
            start_time=START + timedelta(minutes=number // 3),
        )
        for number in range(count)
    ]
