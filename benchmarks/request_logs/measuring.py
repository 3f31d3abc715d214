"""How long the questions take, beside the window count over the same rows."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import fields
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from benchmarks.ledger.results import Figure, Goal, Row
from benchmarks.ledger.rounds import figure, say
from benchmarks.request_logs.method import Method
from benchmarks.request_logs.questions import Question, questions
from proxy.records.log_filters import row_conditions
from proxy.records.log_options import request_log_options
from proxy.records.log_pages import ROW_COLUMNS, list_request_logs
from proxy.records.request_logs import FacetFilters, ListFilters
from proxy.records.tables import NEWEST_FIRST, request_logs
from servicekit.database import asyncpg_url

PAGE_ROWS = 25
MEDIAN = Goal(is_minimum=False, value=100, unit="ms")
SLOW_END = Goal(is_minimum=False, value=250, unit="ms")
FASTER = Goal(is_minimum=True, value=20, unit="times")

Ask = Callable[[AsyncConnection], Awaitable[object]]


async def measured(database_url: str, method: Method, now: datetime) -> tuple[Row, ...]:
    """All questions, each as often as the method says."""
    async with _engine(database_url) as engine:
        async with engine.connect() as connection:
            newest = select(request_logs.c.request_id).order_by(*NEWEST_FIRST).limit(1)
            request_id = (await connection.execute(newest)).scalar_one()
        rows: list[Row] = []
        for question in questions(now, request_id):
            say(f"==> {question.name}")
            rows += await _answered(engine, question, method)
        return tuple(rows)


async def _answered(engine: AsyncEngine, question: Question, method: Method) -> list[Row]:
    total = 0
    if question.offset < 0:
        async with engine.begin() as connection:
            total = (await list_request_logs(connection, question.filters[0], 1, 0)).total
    offset = total + question.offset if question.offset < 0 else question.offset
    pages: list[float] = []
    facets: list[float] = []
    windows: list[float] = []
    for number in range(max(method.rounds, method.baseline_rounds)):
        for filters in question.filters:
            if number < method.rounds:
                pages.append(await _milliseconds(engine, _page(filters, offset)))
                facets.append(await _milliseconds(engine, _facets(filters)))
            if number < method.baseline_rounds:
                windows.append(await _milliseconds(engine, _window(filters, offset)))
    say(f"    page {_said(pages)}, facets {_said(facets)}, window count {_said(windows)} ms")
    ours, theirs = figure(pages), figure(windows)
    ratio = Figure(theirs.median / ours.median, theirs.min / ours.median, theirs.max / ours.median)
    return [
        Row(question.name, f"{question.name}: page and total, median", "ms", figure(pages), MEDIAN),
        Row(question.name, f"{question.name}: page and total, 95th percentile", "ms", _slow_end(pages), SLOW_END),
        Row(question.name, f"{question.name}: facets, median", "ms", figure(facets), MEDIAN),
        Row(question.name, f"{question.name}: facets, 95th percentile", "ms", _slow_end(facets), SLOW_END),
        Row(question.name, f"{question.name}: against the window count", "times", ratio, FASTER),
    ]


def _page(filters: ListFilters, offset: int) -> Ask:
    return lambda connection: list_request_logs(connection, filters, PAGE_ROWS, offset)


def _facets(filters: ListFilters) -> Ask:
    shared = {field.name: getattr(filters, field.name) for field in fields(FacetFilters)}
    return lambda connection: request_log_options(connection, FacetFilters(**shared))


def _window(filters: ListFilters, offset: int) -> Ask:
    """Page and total from one statement, as one writes it first."""
    conditions = row_conditions(filters, filters.since, filters.until)
    page = select(*ROW_COLUMNS, func.count().over()).where(*conditions).order_by(*NEWEST_FIRST)
    return lambda connection: connection.execute(page.limit(PAGE_ROWS).offset(offset))


async def _milliseconds(engine: AsyncEngine, ask: Ask) -> float:
    """With its transaction, as the dashboard asks."""
    began = time.perf_counter()
    async with engine.begin() as connection:
        await ask(connection)
    return (time.perf_counter() - began) * 1000


def _slow_end(values: list[float]) -> Figure:
    """The 95th percentile by nearest rank."""
    value = sorted(values)[max(0, -(-len(values) * 95 // 100) - 1)]
    return Figure(value, value, value)


def _said(values: list[float]) -> str:
    return f"{figure(values).median:,.1f} (to {max(values):,.1f})"


@asynccontextmanager
async def _engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """One without a bound on its statements, which the window count needs."""
    engine = create_async_engine(asyncpg_url(database_url), pool_size=1)
    try:
        yield engine
    finally:
        await engine.dispose()
