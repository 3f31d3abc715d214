from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.settlement.segments import SEGMENTS_KEPT, Segments, replay
from servicekit.journal import Entry, encode, segment_paths

SMALL = 400
"""Bytes of a file: some four entries."""


def entry(name: str, size: int = 10) -> Entry:
    return Entry(name, 1.0, {"filling": "x" * size})


def make(directory: Path, *, segment_bytes_max: int = SMALL, bytes_max: int = 10**6) -> Segments:
    return Segments(directory, segment_bytes_max=segment_bytes_max, bytes_max=bytes_max)


def open_ids(directory: Path) -> list[str]:
    return [found.entry_id for found in replay(directory).entries]


@contextmanager
def failing(function: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The disk answers one kind of call with an error."""

    def fail(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, function, fail)
        yield


def test_what_was_written_is_there_and_what_was_ended_is_not(tmp_path: Path) -> None:
    """B5"""
    segments = make(tmp_path)
    segments.write([entry("a"), entry("b")], [])
    segments.write([entry("c")], ["a"])
    assert open_ids(tmp_path) == ["b", "c"]
    assert segments.entries == 2
    assert segments.size == sum(path.stat().st_size for path in segment_paths(tmp_path))
    assert {path.stat().st_mode & 0o777 for path in segment_paths(tmp_path)} == {0o600}


def test_files_are_rotated_and_go_when_all_in_them_is_done(tmp_path: Path) -> None:
    segments = make(tmp_path)
    for number in range(40):
        segments.write([entry(str(number))], [str(number - 1)])
    assert len(segment_paths(tmp_path)) <= 2
    assert open_ids(tmp_path) == ["39"]
    segments.write([], ["39"])
    segments.close()
    assert segment_paths(tmp_path) == []


def test_one_old_entry_does_not_keep_many_files(tmp_path: Path) -> None:
    segments = make(tmp_path)
    segments.write([entry("old")], [])
    for number in range(100):
        segments.write([entry(str(number))], [str(number)])
    assert open_ids(tmp_path) == ["old"]
    assert len(segment_paths(tmp_path)) <= SEGMENTS_KEPT + 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(0, 150)), max_size=60))
def test_after_any_history_exactly_what_is_open_is_replayed(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[bool, int, int]]
) -> None:
    """B5"""
    directory = tmp_path_factory.mktemp("outbox")
    segments, expected = make(directory), {}
    for opens, number, size in history:
        name = str(number)
        if opens:
            segments.write([entry(name, size)], [])
            expected[name] = entry(name, size)
        else:
            segments.write([], [name])
            expected.pop(name, None)
    assert {found.entry_id: found for found in replay(directory).entries} == expected
    segments.close()
    assert {found.entry_id: found for found in replay(directory).entries} == expected


@pytest.mark.parametrize("function", ["write", "fsync"])
def test_a_write_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    segments = make(tmp_path)
    segments.write([entry("a")], [])
    for _ in range(3):
        with failing(function, monkeypatch), pytest.raises(OSError, match="No space"):
            segments.write([entry("b")], [])
    assert open_ids(tmp_path) == ["a"]
    segments.write([entry("c")], [])
    assert open_ids(tmp_path) == ["a", "c"]
    assert len(segment_paths(tmp_path)) == 2


def test_a_full_outbox_refuses_entries_and_takes_their_ends(tmp_path: Path) -> None:
    segments = make(tmp_path, bytes_max=len(encode(entry("a"))))
    segments.write([entry("a")], [])
    with pytest.raises(OSError, match="bound"):
        segments.write([entry("b")], [])
    segments.write([], ["a"])
    assert open_ids(tmp_path) == []


def test_a_line_that_a_crash_cut_off_is_no_line(tmp_path: Path) -> None:
    """B5: in each file, since a later one may have been begun after a failed write."""
    segments = make(tmp_path, segment_bytes_max=1)
    segments.write([entry("a")], [])
    segments.write([entry("b")], [])
    for path in segment_paths(tmp_path):
        path.write_bytes(path.read_bytes() + encode(entry("torn"))[:-5])
    assert open_ids(tmp_path) == ["a", "b"]
