from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from proxy.records.log_spans import KEY_SPANS, SPANS, Place, Stretch, cover, place
from tests.proxy.records.rows import START

FIRST = START.replace(tzinfo=None)
MOMENTS = st.datetimes(FIRST, FIRST + timedelta(days=60), timezones=st.just(UTC))
FARTHEST = datetime.max.replace(tzinfo=UTC)


@given(MOMENTS, MOMENTS, st.sampled_from((SPANS, KEY_SPANS)))
def test_the_parts_make_up_the_range_without_gap_or_overlap(
    since: datetime, until: datetime, spans: tuple[int, ...]
) -> None:
    """C6"""
    parts = sorted(((part.low, part.high) for part in cover(since, until, spans)), key=lambda part: part[0] or since)
    if since >= until:
        assert parts == []
        return
    assert [low for low, _ in parts] == [since, *(high for _, high in parts[:-1])]
    assert parts[-1][1] == until


@given(MOMENTS, MOMENTS)
def test_whole_spans_begin_and_end_where_totals_do_and_edges_are_shorter(since: datetime, until: datetime) -> None:
    for part in cover(since, until):
        assert part.low is not None
        assert part.high is not None
        if part.span_seconds is None:
            assert part.high - part.low < timedelta(minutes=1) or until - since < timedelta(minutes=2)
        else:
            assert part.low.timestamp() % part.span_seconds == part.high.timestamp() % part.span_seconds == 0


def test_a_month_needs_few_parts() -> None:
    since = START + timedelta(hours=1, minutes=2, seconds=3)
    assert [part.span_seconds for part in cover(since, since + timedelta(days=30))] == [
        *(86_400, 3_600, 60, None),
        *(3_600, 60, None),
    ]


def test_a_range_without_ends_is_days_and_what_is_left_at_the_end_that_there_is() -> None:
    assert [part.span_seconds for part in cover(None, None)] == [86_400]
    assert [part.span_seconds for part in cover(START, None)] == [86_400]
    assert [part.span_seconds for part in cover(None, START + timedelta(seconds=1))] == [86_400, None]


def test_the_ends_of_time_are_no_error() -> None:
    assert list(cover(FARTHEST, None))
    assert list(cover(datetime.min.replace(tzinfo=UTC), FARTHEST))


def stretch(number: int, rows: int) -> Stretch:
    """The `number`th hour, the newest first."""
    high = START - timedelta(hours=number)
    return Stretch(high - timedelta(hours=1), high, rows)


def test_a_page_lies_in_the_stretches_that_hold_its_rows() -> None:
    stretches = [stretch(0, 10), stretch(3, 5), stretch(9, 100)]
    assert place(stretches, 5, 0) == Place(stretches[0].low, stretches[0].high, 0)
    assert place(stretches, 5, 8) == Place(stretches[1].low, stretches[0].high, 8)
    assert place(stretches, 5, 10) == Place(stretches[1].low, stretches[1].high, 0)
    assert place(stretches, 10, 17) == Place(stretches[2].low, stretches[2].high, 2)
    assert place(stretches, 10, 110) == Place(stretches[2].low, stretches[2].high, 95)
    assert place(stretches, 10, 115) is None
    assert place([], 10, 0) is None
