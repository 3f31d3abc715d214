"""Free text in rows of the request log, found by what they say: millions of rows say a few thousand phrases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ARRAY, BigInteger, ColumnElement, any_, func, literal, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.records.tables import SEARCHED, request_log_phrases, request_logs
from proxy.records.texts import storable

SEARCH_CHARACTERS_MAX = 200
PHRASES_MAX = 20_000
"""Most phrases that rows are looked up by; what more of them have is soon found without."""
SEPARATOR = "\x1f"
NUMBER, ANY_NUMBER = "[0-9]+", "0"
"""Phrases have their errors with every number replaced."""
ESCAPE = "/"


@dataclass(frozen=True, slots=True)
class TextMatch:
    """Which rows have a text: part of what they say, or the beginning of one of their request's ids."""

    term: str
    phrase_ids: Sequence[int] | None
    """All rows with these phrases have it; None where they are too many to help."""
    likely_ids: Sequence[int] = ()
    """Of rows with these some do: they differ in the numbers of their errors."""

    def condition(self) -> ColumnElement[bool]:
        """What such a row satisfies."""
        if self.phrase_ids is None:
            return or_(self._says_it(), self._begins_an_id())
        return or_(_has_phrase(self.phrase_ids), self._is_otherwise_found())

    def disjoint_conditions(self) -> Sequence[ColumnElement[bool]]:
        """The same as conditions of which a row satisfies one at most; the first is quick to count."""
        if self.phrase_ids is None:
            return (self.condition(),)
        has_phrase = _has_phrase(self.phrase_ids)
        return has_phrase, not_(has_phrase) & self._is_otherwise_found()

    def _is_otherwise_found(self) -> ColumnElement[bool]:
        if not self.likely_ids:
            return self._begins_an_id()
        return or_(_has_phrase(self.likely_ids) & self._says_it(), self._begins_an_id())

    def _says_it(self) -> ColumnElement[bool]:
        said = func.proxy.search_text_v1(*(request_logs.c[name] for name in SEARCHED))
        return func.strpos(said, func.lower(self.term)) > 0

    def _begins_an_id(self) -> ColumnElement[bool]:
        pattern = func.lower(_escaped(self.term))
        ids = (request_logs.c.request_id, request_logs.c.reservation_id)
        return or_(*(func.lower(column).startswith(pattern, escape=ESCAPE) for column in ids))


async def match_text(connection: AsyncConnection, search: str) -> TextMatch:
    """Read which phrases have the text."""
    term = storable(search, SEARCH_CHARACTERS_MAX)
    phrase = request_log_phrases.c.phrase
    error = func.split_part(phrase, SEPARATOR, len(SEARCHED))
    numberless = func.regexp_replace(func.lower(term), NUMBER, ANY_NUMBER, "g")
    has_term = func.strpos(phrase, func.lower(term)) > 0
    is_likely = func.strpos(error, numberless) > 0 if any(map(str.isdecimal, term)) else has_term
    query = select(request_log_phrases.c.phrase_id, has_term.label("has_term"))
    found = (await connection.execute(query.where(or_(has_term, is_likely)).limit(PHRASES_MAX + 1))).all()
    if len(found) > PHRASES_MAX:
        return TextMatch(term, None)
    likely = [row.phrase_id for row in found if not row.has_term]
    return TextMatch(term, [row.phrase_id for row in found if row.has_term], likely)


def _has_phrase(phrase_ids: Sequence[int]) -> ColumnElement[bool]:
    return request_logs.c.phrase_id == any_(literal(list(phrase_ids), ARRAY(BigInteger)))


def _escaped(term: str) -> str:
    """The term as a pattern that matches nothing but itself."""
    for special in (ESCAPE, "%", "_"):
        term = term.replace(special, ESCAPE + special)
    return term
