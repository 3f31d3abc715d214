"""How long the questions take, beside the window count over the same rows."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
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
from proxy.records.log_text import TextMatch
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


@dataclass(frozen=True, slots=True)
class Asked:
    """Milliseconds of each answer."""

    pages: list[list[float]]
    """By the question's filters."""
    facets: list[float] = field(default_factory=list)
    windows: list[float] = field(default_factory=list)
    """Of the first filters."""


async def _asked(engine: AsyncEngine, question: Question, offset: int, method: Method) -> Asked:
    asked = Asked([[] for _ in question.filters])
    for _ in range(method.rounds):
        for filters, pages in zip(question.filters, asked.pages, strict=True):
            pages.append(await _milliseconds(engine, _page(filters, offset)))
            asked.facets.append(await _milliseconds(engine, _facets(filters)))
    for _ in range(method.baseline_rounds):
        asked.windows.append(await _milliseconds(engine, _window(question.filters[0], offset)))
    return asked


async def _answered(engine: AsyncEngine, question: Question, method: Method) -> list[Row]:
    total = 0
    if question.offset < 0:
        async with engine.begin() as connection:
            total = (await list_request_logs(connection, question.filters[0], 1, 0)).total
    offset = total + question.offset if question.offset < 0 else question.offset
    asked = await _asked(engine, question, offset, method)
    pages = [milliseconds for of_filters in asked.pages for milliseconds in of_filters]
    ours, theirs = figure(asked.pages[0]), figure(asked.windows)
    ratio = Figure(theirs.median / ours.median, theirs.min / ours.median, theirs.max / ours.median)
    say(f"    page {_said(pages)}, facets {_said(asked.facets)}, window count {_said(asked.windows)} ms")
    return [
        Row(question.name, f"{question.name}: page and total, median", "ms", figure(pages), MEDIAN),
        Row(question.name, f"{question.name}: page and total, 95th percentile", "ms", _slow_end(pages), SLOW_END),
        Row(question.name, f"{question.name}: facets, median", "ms", figure(asked.facets), MEDIAN),
        Row(question.name, f"{question.name}: facets, 95th percentile", "ms", _slow_end(asked.facets), SLOW_END),
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
    if filters.search:
        conditions.append(TextMatch(filters.search, None).condition())
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
