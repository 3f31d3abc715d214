from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from servicekit.journal import Done, Entry, encode, open_entries, read_segment, segment_path, segment_paths

ids = st.sampled_from(["one", "two", "three"])
entries = st.builds(Entry, ids, st.floats(0, 2e9), st.dictionaries(st.text(max_size=5), st.integers() | st.text()))
lines = st.lists(entries | st.builds(Done, ids), max_size=12)


def replayed(data: bytes) -> dict[str, Entry]:
    return open_entries([read_segment(data)])


@given(lines, st.data())
def test_any_prefix_of_a_file_replays_to_what_its_whole_lines_say(
    written: list[Entry | Done], data: st.DataObject
) -> None:
    """B5: a crash may cut a file anywhere."""
    encoded = [encode(line) for line in written]
    whole = b"".join(encoded)
    end = data.draw(st.integers(0, len(whole)))
    count = sum(len(b"".join(encoded[: number + 1])) <= end for number in range(len(encoded)))
    segment = read_segment(whole[:end])
    assert list(segment.lines) == written[:count]
    assert (segment.corrupt, segment.whole_bytes) == ((), len(b"".join(encoded[:count])))
    assert replayed(whole[:end]) == replayed(b"".join(encoded[:count]))


@given(lines, st.data())
def test_a_line_that_does_not_check_costs_no_other(written: list[Entry | Done], data: st.DataObject) -> None:
    """B5"""
    garbage = data.draw(st.binary(min_size=1).filter(lambda raw: b"\n" not in raw))
    place = data.draw(st.integers(0, len(written)))
    encoded = [encode(line) for line in written]
    segment = read_segment(b"".join((*encoded[:place], garbage + b"\n", *encoded[place:])))
    assert list(segment.lines) == written
    assert segment.corrupt == (garbage,)


@given(st.binary())
def test_nothing_in_a_file_breaks_its_reader(data: bytes) -> None:
    assert read_segment(data).whole_bytes <= len(data)


@given(entries, st.data())
def test_a_changed_byte_is_noticed(entry: Entry, data: st.DataObject) -> None:
    line = bytearray(encode(entry))
    place = data.draw(st.integers(0, len(line) - 2))
    line[place] ^= data.draw(st.integers(1, 255))
    assert Entry(entry.entry_id, entry.time, entry.content) not in read_segment(bytes(line)).lines


def test_an_entry_that_is_opened_again_takes_the_place_of_the_first() -> None:
    first, second, other = Entry("a", 1, {"n": 1}), Entry("a", 1, {"n": 2}), Entry("b", 2, {})
    assert open_entries([read_segment(encode(first) + encode(other) + encode(second))]) == {"a": second, "b": other}
    assert open_entries([read_segment(encode(first)), read_segment(encode(Done("a")))]) == {}
    assert open_entries([read_segment(encode(Done("a")) + encode(first))]) == {"a": first}


def test_files_come_oldest_first(tmp_path: Path) -> None:
    for number in (10, 9, 100):
        segment_path(tmp_path, number).touch()
    (tmp_path / "lock").touch()
    assert segment_paths(tmp_path) == [segment_path(tmp_path, number) for number in (9, 10, 100)]
