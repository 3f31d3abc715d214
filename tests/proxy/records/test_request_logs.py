"""Request logs in a real table: what is written, listed, counted and offered for filtering."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.records.log_options import request_log_options
from proxy.records.log_pages import list_request_logs
from proxy.records.request_logs import (
    SEARCH_TOTAL_MAX,
    STATUSES,
    FacetFilters,
    ListFilters,
    RequestLogOptions,
    RequestLogPage,
    RequestLogRow,
)
from proxy.records.tables import request_logs
from proxy.records.write import TEXT_CHARACTERS_MAX, insert_request_logs
from tests.proxy.records.rows import START, a_row, many_rows

ALL = ListFilters()


@pytest.fixture
async def rows(connection: AsyncConnection) -> list[RequestLogRow]:
    rows = many_rows(60)
    await insert_request_logs(connection, rows)
    return rows


def newest_first(rows: list[RequestLogRow]) -> list[RequestLogRow]:
    return sorted(rows, key=lambda row: (row.start_time, row.request_log_id), reverse=True)


def matches(row: RequestLogRow, filters: ListFilters) -> bool:
    """The filters once more, in Python."""
    texts = (row.request_id, row.api_key_name or "", row.account_name or "", row.model, row.path)
    return (
        (not filters.search or any(filters.search.lower() in value.lower() for value in texts))
        and (filters.since is None or row.start_time >= filters.since)
        and (filters.until is None or row.start_time < filters.until)
        and (not filters.account_ids or row.account_id in filters.account_ids)
        and (not filters.api_key_ids or row.api_key_id in filters.api_key_ids)
        and (not filters.models or row.model in filters.models)
        and (not filters.statuses or row.status in filters.statuses)
    )


async def test_a_row_comes_back_as_it_was_written(connection: AsyncConnection) -> None:
    row = a_row(denial={"limits": [{"metric": "total_tokens"}]}, error_message="no", first_byte_ms=None)
    await insert_request_logs(connection, [row])
    assert (await list_request_logs(connection, ALL, 10, 0)).rows == (row,)


async def test_a_batch_that_is_sent_again_adds_nothing(connection: AsyncConnection) -> None:
    rows = many_rows(5)
    await insert_request_logs(connection, rows)
    await insert_request_logs(connection, [replace(rows[0], model="other"), *rows, a_row()])
    page = await list_request_logs(connection, ALL, 10, 0)
    assert page.total == 6
    assert "other" not in {row.model for row in page.rows}


async def test_no_rows_are_no_error(connection: AsyncConnection) -> None:
    await insert_request_logs(connection, [])
    assert await list_request_logs(connection, ALL, 10, 0) == RequestLogPage((), 0, True)


async def test_texts_that_postgres_cannot_hold_do_not_lose_the_row(connection: AsyncConnection) -> None:
    strange = a_row(
        model="a\x00b\ud800c", error_message="x" * 100_000, denial={"k\x00": ["\udfff"]}, user_agent="\N{SNOWMAN}"
    )
    await insert_request_logs(connection, [strange])
    (row,) = (await list_request_logs(connection, ALL, 10, 0)).rows
    assert row.model == "a\ufffdb\ufffdc"
    assert row.error_message == "x" * TEXT_CHARACTERS_MAX
    assert row.denial == {"k\ufffd": ["\ufffd"]}
    assert row.user_agent == "\N{SNOWMAN}"


async def test_pages_are_in_one_order_without_gaps_or_repeats(
    connection: AsyncConnection, rows: list[RequestLogRow]
) -> None:
    """C6."""
    pages = [await list_request_logs(connection, ALL, 7, offset) for offset in range(0, 70, 7)]
    assert [row for page in pages for row in page.rows] == newest_first(rows)
    assert {page.total for page in pages} == {60}
    assert all(page.total_is_exact for page in pages)


async def test_the_total_is_exact_past_the_last_page(connection: AsyncConnection, rows: list[RequestLogRow]) -> None:
    """C6."""
    page = await list_request_logs(connection, ALL, 25, 1_000)
    assert (page.rows, page.total, page.total_is_exact) == ((), len(rows), True)


@pytest.mark.parametrize(
    "filters",
    [
        ListFilters(account_ids=("account-0",)),
        ListFilters(account_ids=("account-0", "account-1")),
        ListFilters(api_key_ids=("key-2",)),
        ListFilters(models=("model-1", "model-3")),
        ListFilters(statuses=("ok", "quota")),
        ListFilters(since=START + timedelta(minutes=5)),
        ListFilters(until=START + timedelta(minutes=5)),
        ListFilters(since=START + timedelta(minutes=2), until=START + timedelta(minutes=9), models=("model-1",)),
        ListFilters(search="REQUEST-1"),
        ListFilters(search="key 2", statuses=("error",)),
        ListFilters(models=("none such",)),
        ListFilters(search="%"),
        ListFilters(search="_"),
        ListFilters(search="\x00"),
    ],
)
async def test_every_filter_narrows_page_and_total_alike(
    connection: AsyncConnection, rows: list[RequestLogRow], filters: ListFilters
) -> None:
    """C6, D7."""
    expected = [row for row in newest_first(rows) if matches(row, filters)]
    page = await list_request_logs(connection, filters, 5, 2)
    assert list(page.rows) == expected[2:7]
    assert (page.total, page.total_is_exact) == (len(expected), True)


async def test_free_text_over_more_rows_than_the_cap_answers_the_cap_and_says_so(connection: AsyncConnection) -> None:
    """C6."""
    await fill(connection, SEARCH_TOTAL_MAX + 1)
    page = await list_request_logs(connection, ListFilters(search="gpt"), 10, SEARCH_TOTAL_MAX)
    assert (page.total, page.total_is_exact, len(page.rows)) == (SEARCH_TOTAL_MAX, False, 1)
    structured = await list_request_logs(connection, ListFilters(models=("gpt-5.1",)), 10, 0)
    assert (structured.total, structured.total_is_exact) == (SEARCH_TOTAL_MAX + 1, True)


async def test_free_text_over_exactly_the_cap_is_exact(connection: AsyncConnection) -> None:
    """C6."""
    await fill(connection, SEARCH_TOTAL_MAX)
    page = await list_request_logs(connection, ListFilters(search="gpt"), 10, 0)
    assert (page.total, page.total_is_exact) == (SEARCH_TOTAL_MAX, True)


async def test_a_page_is_read_from_an_index_without_a_sort(connection: AsyncConnection) -> None:
    await fill(connection, 20_000)
    await connection.execute(text("ANALYZE proxy.request_logs"))
    for where in ("true", "model = 'gpt-5.1'", "api_key_id = 'key-1'", "status = 'ok'"):
        plan = await connection.execute(
            text(
                f"EXPLAIN SELECT * FROM proxy.request_logs WHERE {where}"
                " ORDER BY start_time DESC, request_log_id DESC LIMIT 25"
            )
        )
        steps = "\n".join(plan.scalars())
        assert not re.search(r"\bSort  \(", steps)
        assert "Index Scan" in steps


async def test_the_options_are_what_occurs(connection: AsyncConnection, rows: list[RequestLogRow]) -> None:
    options = await request_log_options(connection, FacetFilters())
    assert options.accounts == (("account-0", "account 0"), ("account-1", "account 1"))
    assert [option.id for option in options.api_keys] == ["key-0", "key-1", "key-2"]
    assert options.models == ("model-0", "model-1", "model-2", "model-3")
    assert options.statuses == STATUSES


async def test_the_status_facet_never_filters_itself() -> None:
    """D6, D7: facets know no status, so none can be given."""
    assert "statuses" in ListFilters.__dataclass_fields__
    assert set(FacetFilters.__dataclass_fields__) == set(ListFilters.__dataclass_fields__) - {"statuses"}


async def test_other_filters_narrow_the_options_but_not_their_own(
    connection: AsyncConnection, rows: list[RequestLogRow]
) -> None:
    """D6."""
    options = await request_log_options(connection, FacetFilters(models=("model-1",)))
    of_model = [row for row in rows if row.model == "model-1"]
    assert {option.id for option in options.accounts} == {row.account_id for row in of_model} - {None}
    assert set(options.statuses) == {row.status for row in of_model}
    assert len(options.models) == 4

    early = FacetFilters(until=START + timedelta(minutes=1))
    assert (await request_log_options(connection, early)).models == ("model-0", "model-1", "model-2")
    nothing = await request_log_options(connection, FacetFilters(search="no such text"))
    assert nothing == RequestLogOptions((), (), (), ())


async def test_an_option_has_its_newest_name(connection: AsyncConnection) -> None:
    await insert_request_logs(
        connection,
        [
            a_row(account_name="old", start_time=START),
            a_row(account_name="new", start_time=START + timedelta(hours=1)),
            a_row(account_id="nameless", account_name=None),
        ],
    )
    options = await request_log_options(connection, FacetFilters())
    assert options.accounts == (("nameless", "nameless"), ("account-1", "new"))


def test_rows_of_one_moment_are_ordered_by_their_id() -> None:
    assert any(a.start_time == b.start_time for a, b in pairwise(newest_first(many_rows(60))))


async def fill(connection: AsyncConnection, count: int) -> None:
    """Many copies of one row, made in the database."""
    await insert_request_logs(connection, [a_row()])
    copied = [
        each for each in request_logs.c if each.name not in ("request_log_id", "start_time") and not each.computed
    ]
    names = ", ".join(each.name for each in copied)
    await connection.execute(
        text(
            f"INSERT INTO proxy.request_logs (request_log_id, start_time, {names})"
            f" SELECT gen_random_uuid(), start_time + n * interval '1 second', {names}"
            f" FROM proxy.request_logs, generate_series(1, {count - 1}) AS n"
        )
    )
