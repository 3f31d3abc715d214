from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dialects.responses import read_terminal
from proxy.metering.events import BOM, EventScanner, EventTooLarge, read_event
from proxy.metering.usage import Usage
from tests.proxy.metering import streams
from tests.proxy.metering.streams import cut, event, scan, terminal


@given(
    parts=st.lists(st.one_of(streams.comments, streams.deltas, streams.unknown, streams.multi_line), max_size=8),
    last=streams.ends,
    tail=st.sampled_from([b"", b"data: half", b"\n", b"data: [DONE]\n\n"]),
    bom=st.sampled_from([b"", BOM]),
    places=streams.places,
)
def test_any_chunking_gives_the_same_bytes_and_the_same_usage(
    parts: list[bytes], last: bytes, tail: bytes, bom: bytes, places: list[int]
) -> None:
    whole = bom + b"".join(parts) + last + tail
    events, rest = scan(list(cut(whole, places)))
    assert b"".join(found.raw for found in events) + rest == whole
    assert events == scan([whole])[0]
    usages = [found.usage for found in map(read_terminal, events) if found]
    assert usages == [Usage(12, 30, 42, cached_input_tokens=4, reasoning_tokens=7)]


@given(whole=st.binary(max_size=200) | st.text("\r\n :adt", max_size=60).map(str.encode), places=streams.places)
def test_no_bytes_whatever_are_lost_or_made_up(whole: bytes, places: list[int]) -> None:
    events, rest = scan(list(cut(whole, places)))
    assert b"".join(found.raw for found in events) + rest == whole


@given(whole=st.text("\r\n:ad ", max_size=60).map(str.encode), places=streams.places)
def test_events_end_at_the_same_places_however_the_stream_is_cut(whole: bytes, places: list[int]) -> None:
    # A last carriage return may be half a line end, so both streams are ended by something else.
    assert scan([*cut(whole, places), b"x"]) == scan([whole + b"x"])


def test_an_event_is_cut_out_as_soon_as_its_empty_line_is_there() -> None:
    scanner = EventScanner(1000)
    whole = event("response.created", b"\r\n")
    assert list(scanner.feed(whole[:-1])) == []
    assert [found.raw for found in scanner.feed(whole[-1:])] == [whole]


def test_the_data_lines_of_an_event_are_joined() -> None:
    found = read_event(b"event:x\r\ndata: a\r\ndata:b\r\n: comment\r\nid: 7\r\n\r\n")
    assert (found.name, found.data) == ("x", b"a\nb")


def test_a_byte_order_mark_hides_no_event() -> None:
    [found], _ = scan([BOM[:1], BOM[1:] + terminal()])
    assert found.name == "response.completed"


def test_comments_are_blocks_without_data() -> None:
    [found], _ = scan([b": ping\n\n"])
    assert (found.name, found.data) == ("", b"")


@pytest.mark.parametrize("end", [b"", b"\n\n"])
def test_an_event_above_the_cap_is_an_error_complete_or_not(end: bytes) -> None:
    scanner = EventScanner(100)
    with pytest.raises(EventTooLarge):
        list(scanner.feed(b"data: " + b"x" * 100 + end))


def test_half_an_event_at_the_end_is_handed_out_for_a_last_look() -> None:
    scanner = EventScanner(10_000)
    whole = terminal()
    assert list(scanner.feed(whole[:-1])) == []
    last = scanner.finish()
    assert last is not None
    assert last.name == "response.completed"
    assert EventScanner(1).finish() is None
