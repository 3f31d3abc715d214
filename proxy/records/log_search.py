"""Free text in the request log, newest first and only as far as it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Select, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.records.log_filters import Filters, days, row_conditions
from proxy.records.log_spans import Place, Stretch
from proxy.records.log_text import TextMatch, match_text
from proxy.records.tables import request_logs

CHUNK_ROWS = 400_000
"""Rows that the first look goes over; each further one goes over four times as many."""


@dataclass(frozen=True, slots=True)
class Search:
    """What was found."""

    filters: Filters
    text: TextMatch
    matches: Sequence[Stretch]
    """Newest first, with how many rows match in each; of the last one perhaps too few, unless `is_all`."""
    is_all: bool
    """False where there are more."""

    @property
    def count(self) -> int:
        return sum(stretch.row_count for stretch in self.matches)

    @property
    def extent(self) -> Place:
        """All that was looked at."""
        return Place(self.matches[-1].low, self.matches[0].high, 0)

    def select(self, columns: Sequence[Column[Any]], where: Place) -> Select[Any]:
        """The matching rows there, from which the newest are wanted.

        Where they are few, finding all of them is quicker than going through the log until enough were met, which a
        limit makes the planner choose: it cannot know how few they are, so the limit is kept from it.
        """
        conditions = (*row_conditions(self.filters, where.low, where.high), self.text.condition())
        found = select(*columns).where(*conditions)
        return select(found.offset(0).subquery(request_logs.name)) if self.is_all else found


async def search(connection: AsyncConnection, filters: Filters, matches_max: int) -> Search:
    """Look for the filters' text among the newest rows until more than `matches_max` have it.

    Numbers in errors are looked for in the first chunk alone: no index tells them apart.
    """
    text = await match_text(connection, filters.search)
    found: list[Stretch] = []
    matched = 0
    for chunk in _chunks(await days(connection, filters)):
        if found and text.likely_ids:
            return Search(filters, text, found, is_all=False)
        count = await _count(connection, filters, text, chunk, matches_max + 1 - matched)
        found.append(Stretch(chunk.low, chunk.high, count))
        matched += count
        if matched > matches_max:
            return Search(filters, text, found, is_all=False)
    return Search(filters, text, found, is_all=True)


async def _count(connection: AsyncConnection, filters: Filters, text: TextMatch, where: Stretch, count_max: int) -> int:
    inside = row_conditions(filters, where.low, where.high)
    some = (select(literal(1)).where(*inside, each).select_from(request_logs) for each in text.disjoint_conditions())
    counted = select(func.count()).select_from(union_all(*some).limit(count_max).subquery())
    count: int = (await connection.execute(counted)).scalar_one()
    return count


def _chunks(candidates: Sequence[Stretch]) -> Iterator[Stretch]:
    """The stretches joined until each holds enough rows to be worth a question."""
    rows, left = CHUNK_ROWS, candidates
    while left:
        size, passed = 0, 0
        while size < len(left) and passed < rows:
            passed += left[size].row_count
            size += 1
        yield Stretch(left[size - 1].low, left[0].high, passed)
        rows, left = 4 * rows, left[size:]
