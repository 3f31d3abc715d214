"""What an operator asks of the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import md5

from proxy.records.request_logs import ListFilters


@dataclass(frozen=True, slots=True)
class Question:
    """Filters of one kind, asked in turn; the first of them also of the window count."""

    name: str
    filters: Sequence[ListFilters]
    offset: int = 0


def questions(now: datetime, request_id: str) -> tuple[Question, ...]:
    """The questions; `request_id` is one of the log's."""
    month = now - timedelta(days=30)
    texts = ("team-7-production", "team-290", request_id, request_id[:8], "insufficient_quota", "no such text")
    return (
        Question("last hour", (ListFilters(since=now - timedelta(hours=1)),)),
        Question("7 days", (ListFilters(since=now - timedelta(days=7)),)),
        Question("30 days, all rows", (ListFilters(since=month),)),
        Question("30 days, the last page", (ListFilters(since=month),), offset=-25),
        Question(
            "30 days, two facets",
            (
                ListFilters(since=month, models=("gpt-5.1", "o5"), statuses=("ok",)),
                ListFilters(since=month, api_key_ids=(key(3), key(250)), models=("gpt-5.1",)),
                ListFilters(since=month, api_key_ids=(key(0),), statuses=("error", "quota")),
            ),
        ),
        Question("30 days, free text", tuple(ListFilters(since=month, search=text) for text in texts)),
    )


def key(number: int) -> str:
    return md5(f"key{number}".encode(), usedforsecurity=False).hexdigest()
