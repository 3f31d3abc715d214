from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from proxy.config import ProxySettings
from proxy.settlement.outbox import Outbox, OutboxUnusable
from servicekit.journal import Entry, segment_paths
from tests.proxy.settlement.ledger import kept
from tests.support.waiting import eventually


@asynccontextmanager
async def opened(root: Path, **settings: Any) -> AsyncIterator[Outbox]:
    outbox = Outbox(ProxySettings(outbox_dir=root, **settings))
    await outbox.open()
    try:
        yield outbox
    finally:
        await outbox.close()


def inside(directory: Path) -> list[Path]:
    return sorted(directory.iterdir())


def entry(name: str) -> Entry:
    return Entry(name, 1.0, {})


async def test_what_was_put_is_on_the_disk_until_it_is_ended(tmp_path: Path) -> None:
    """B5"""
    async with opened(tmp_path) as outbox:
        await outbox.put(entry("a"))
        assert list(kept(tmp_path)) == ["a"]
        outbox.end("a")
        await eventually(lambda: not kept(tmp_path))
    assert inside(tmp_path) == []


async def test_settlements_that_come_together_share_an_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as outbox:
        await outbox.put(entry("first"))
        count, fsync = [0], os.fsync

        def counted(descriptor: int) -> None:
            count[0] += 1
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", counted)
        await asyncio.gather(*(outbox.put(entry(str(number))) for number in range(100)))
        assert len(kept(tmp_path)) == 101
        assert count[0] <= 3


async def test_only_the_owner_of_an_outbox_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    root = tmp_path / "outbox"
    async with opened(root) as outbox:
        await outbox.put(entry("a"))
        modes = {path.stat().st_mode & 0o777 for path in (root, *root.rglob("*")) if path.is_dir()}
        assert modes == {0o700}
        assert {path.stat().st_mode & 0o777 for path in root.rglob("*") if path.is_file()} == {0o600}


async def test_an_outbox_of_a_living_worker_is_left_alone(tmp_path: Path) -> None:
    """B5"""
    async with opened(tmp_path) as living, opened(tmp_path) as other:
        await living.put(entry("a"))
        assert await other.adopt() == []
        assert list(kept(tmp_path)) == ["a"]


async def test_an_outbox_that_was_left_behind_is_taken_over_once(tmp_path: Path) -> None:
    """B5"""
    async with opened(tmp_path) as dead:
        await dead.put(entry("a"))
        await dead.put(entry("b"))
        dead.end("a")
    async with opened(tmp_path) as first, opened(tmp_path) as second:
        adopted = [await outbox.adopt() for outbox in (first, second, first)]
        assert adopted == [[entry("b")], [], []]
        assert len(inside(tmp_path)) == 2
    async with opened(tmp_path) as third:
        assert await third.adopt() == [entry("b")]


async def test_a_corrupt_line_is_set_aside_and_told(tmp_path: Path) -> None:
    """B5"""
    async with opened(tmp_path) as dead:
        await dead.put(entry("a"))
    [directory] = inside(tmp_path)
    [path] = segment_paths(directory)
    path.write_bytes(b"garbage\n" + path.read_bytes() + b"torn")
    async with opened(tmp_path) as outbox:
        with capture_logs() as logs:
            assert await outbox.adopt() == [entry("a")]
        assert [line["lines"] for line in logs if "corrupt" in line["event"]] == [1]
        [aside] = (tmp_path / "set-aside").iterdir()
        assert aside.read_bytes() == b"garbage\n"


async def test_a_place_that_cannot_be_written_is_told_and_tried_again(tmp_path: Path) -> None:
    """B5"""
    root = tmp_path / "outbox"
    root.touch()
    async with opened(root) as outbox:
        assert "outbox" in (outbox.failure or "")
        with pytest.raises(OutboxUnusable):
            await outbox.put(entry("a"))
        outbox.end("a")
        assert await outbox.adopt() == []
        assert not await outbox.set_aside({"a": 1})
        root.unlink()
        await outbox.put(entry("b"))
        assert outbox.failure is None
        assert list(kept(root)) == ["b"]


async def test_a_failure_is_over_as_soon_as_the_disk_says_so(tmp_path: Path) -> None:
    root = tmp_path / "outbox"
    root.touch()
    async with opened(root) as outbox:
        root.unlink()
        outbox.try_again()
        await eventually(lambda: outbox.failure is None)


async def test_a_directory_that_was_removed_is_told_and_made_again(tmp_path: Path) -> None:
    async with opened(tmp_path, outbox_segment_bytes_max=1) as outbox:
        [directory] = inside(tmp_path)
        (directory / "lock").unlink()
        directory.rmdir()
        with pytest.raises(OutboxUnusable):
            await outbox.put(entry("a"))
        await outbox.put(entry("a"))
        assert list(kept(tmp_path)) == ["a"]


async def test_what_is_set_aside_waits_for_the_operator(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        assert await outbox.set_aside({"reservation_id": "a"})
        assert await outbox.set_aside({"reservation_id": "b"})
        assert await outbox.count_set_aside() == 2
    [path] = (tmp_path / "set-aside").iterdir()
    assert path.read_text() == '{"reservation_id":"a"}\n{"reservation_id":"b"}\n'
    assert path.stat().st_mode & 0o777 == 0o600
