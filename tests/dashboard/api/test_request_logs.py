"""The request log over HTTP; the queries themselves are tested where they live."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from dashboard.api.request_logs import has_more, in_camel_case
from proxy.records.request_logs import RequestLogPage, RequestLogRow
from proxy.records.write import insert_request_logs
from tests.dashboard.world import Dashboard, code_of
from tests.proxy.records.rows import START, a_row

DENIAL = {"limits": [{"limit_id": "l-1", "max_value": 5, "never_fits": False}], "retry_after_seconds": 1.5}


async def write(dashboard: Dashboard, *rows: RequestLogRow) -> None:
    async with dashboard.services.database.transaction() as connection:
        await insert_request_logs(connection, rows)


def moments(count: int, **changes: Any) -> list[RequestLogRow]:
    return [a_row(start_time=START + timedelta(seconds=number), **changes) for number in range(count)]


async def test_a_request_is_shown_with_everything_that_its_proxy_noted(dashboard: Dashboard) -> None:
    """U3: the dashboard reads the request log."""
    row = a_row(denial=DENIAL, status="rate_limit", http_status=429, input_tokens=None)
    await write(dashboard, row)
    async with dashboard.signed_in() as operator:
        [shown] = (await operator.get("/api/request-logs")).json()["requests"]
    assert shown["requestLogId"] == row.request_log_id
    assert shown["startTime"] == "2026-05-01T00:00:00Z"
    assert (shown["status"], shown["httpStatus"], shown["inputTokens"], shown["totalTokens"]) == (
        "rate_limit",
        429,
        None,
        30,
    )
    assert shown["attempts"] == [
        {"accountName": "account one", "outcome": "done", "httpStatus": 200, "errorCode": None, "durationMs": 12}
    ]
    assert shown["denial"] == {
        "limits": [{"limitId": "l-1", "maxValue": 5, "neverFits": False}],
        "retryAfterSeconds": 1.5,
    }


async def test_pages_and_total_are_exact_also_past_the_last_page(dashboard: Dashboard) -> None:
    """C6: pagination and total are exact."""
    rows = moments(7)
    await write(dashboard, *rows)
    newest_first = [row.request_log_id for row in reversed(rows)]
    seen: list[str] = []
    async with dashboard.signed_in() as operator:
        for offset, more in ((0, True), (3, True), (6, False), (9, False)):
            page = (await operator.get(f"/api/request-logs?limit=3&offset={offset}")).json()
            assert (page["total"], page["totalIsExact"], page["hasMore"]) == (7, True, more)
            seen += [request["requestLogId"] for request in page["requests"]]
    assert seen == newest_first


async def test_a_page_has_25_requests_unless_asked_otherwise_and_at_most_200(dashboard: Dashboard) -> None:
    await write(dashboard, *moments(30))
    async with dashboard.signed_in() as operator:
        assert len((await operator.get("/api/request-logs")).json()["requests"]) == 25
        assert len((await operator.get("/api/request-logs?limit=200")).json()["requests"]) == 30


COUNTS = [
    ("", 4),
    ("accountId=account-2", 1),
    ("accountId=account-1&accountId=account-2", 4),
    ("apiKeyId=key-2", 1),
    ("model=gpt-4", 1),
    ("status=error&status=quota", 2),
    ("status=ok&model=gpt-5.1", 1),
    ("search=ACCOUNT two", 1),
    ("search=100%25", 0),
    ("since=2026-05-01T00:00:02Z", 2),
    ("until=2026-05-01T02:00:02%2B02:00", 2),
    ("since=2026-05-01T00:00:02Z&until=2026-05-01T00:00:01Z", 0),
    ("unknown=1", 4),
]


async def test_every_filter_narrows_the_list_and_its_total(dashboard: Dashboard) -> None:
    """C6, D7: values of one filter widen, filters narrow each other."""
    await write(
        dashboard,
        a_row(start_time=START),
        a_row(
            start_time=START + timedelta(seconds=1), status="error", account_id="account-2", account_name="Account TWO"
        ),
        a_row(start_time=START + timedelta(seconds=2), status="quota", api_key_id="key-2"),
        a_row(start_time=START + timedelta(seconds=3), model="gpt-4"),
    )
    async with dashboard.signed_in() as operator:
        for query, count in COUNTS:
            page = (await operator.get(f"/api/request-logs?{query}")).json()
            assert (page["total"], len(page["requests"])) == (count, count), query


async def test_the_status_facet_never_filters_itself_but_the_other_filters_do(dashboard: Dashboard) -> None:
    """D6, D7: a status that is sent to the options is ignored, even one that does not exist."""
    await write(dashboard, a_row(status="ok"), a_row(status="error", model="gpt-4", api_key_id="key-2"))
    async with dashboard.signed_in() as operator:
        everything = (await operator.get("/api/request-logs/options")).json()
        assert everything["statuses"] == ["ok", "error"]
        assert everything["models"] == ["gpt-4", "gpt-5.1"]
        assert everything["accounts"] == [{"id": "account-1", "name": "account one"}]
        for status in ("ok", "cancelled", "no-such-status"):
            assert (await operator.get(f"/api/request-logs/options?status={status}")).json() == everything
        narrowed = (await operator.get("/api/request-logs/options?model=gpt-4&status=ok")).json()
        assert narrowed["statuses"] == ["error"]
        assert [key["id"] for key in narrowed["apiKeys"]] == ["key-2"]


WRONG_FILTERS = [
    ("limit=0", "limit"),
    ("limit=201", "limit"),
    ("limit=x", "limit"),
    ("offset=-1", "offset"),
    ("offset=99999999999999999999", "offset"),
    ("status=fine", "status.0"),
    ("since=yesterday", "since"),
    ("since=2026-05-01T00:00:00", "since"),
    ("until=0001-01-01T00:00:00%2B14:00", "until"),
    ("search=%00", "search"),
    ("model=a%00b", "model.0"),
    ("search=" + "x" * 300, "search"),
    ("&".join(f"model=m{number}" for number in range(101)), "model"),
]


async def test_a_wrong_filter_is_named(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        for query, field in WRONG_FILTERS:
            answer = await operator.get(f"/api/request-logs?{query}")
            assert code_of(answer) == (400, "invalid_request"), query
            assert answer.json()["error"]["field"] == field, query


@pytest.mark.parametrize(
    ("rows", "total", "is_exact", "offset", "more"),
    [
        (2, 5, True, 0, True),
        (2, 4, True, 2, False),
        (0, 4, True, 9, False),
        (2, 4, False, 4, True),
        (1, 4, False, 4, False),
    ],
)
def test_a_next_page_is_promised_only_where_there_is_one(
    *, rows: int, total: int, is_exact: bool, offset: int, more: bool
) -> None:
    page = RequestLogPage(tuple(a_row() for _ in range(rows)), total, is_exact)
    assert has_more(page, limit=2, offset=offset) is more


def test_a_document_is_spelled_as_the_api_spells() -> None:
    assert in_camel_case({"a_b": [{"c_d_e": "f_g"}], "h": None}) == {"aB": [{"cDE": "f_g"}], "h": None}
