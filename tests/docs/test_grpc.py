"""docs/grpc.md: its sample runs, and its table has every reason with its code."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any

from quotad.errors import QuotaError
from tests.docs.pages import samples
from tests.support.daemons import DATA_TOKEN, limit, quotad
from tests.support.processes import REPOSITORY

PAGE = REPOSITORY / "docs" / "grpc.md"
ROW = re.compile(r"^\| `(?P<reason>[A-Z_]+)` \| `(?P<code>[A-Z_]+)` \|", re.MULTILINE)


async def test_the_sample_charges_what_was_used(database_url: str) -> None:
    async with quotad(database_url) as daemon:
        created = await daemon.create_key(limit("total_tokens", 10_000))
        await sample(daemon.address)(DATA_TOKEN, created.secret, used)
        async with daemon.data() as client:
            described = await client.describe_key(api_key=created.secret)
    assert [(status.used, status.held) for status in described.limits] == [(1207, 0)]


def test_every_reason_is_there_with_its_code() -> None:
    listed = {row["reason"]: row["code"] for row in ROW.finditer(PAGE.read_text("utf-8"))}
    assert listed == {error.reason: error.code.name for error in reasons(QuotaError)}


async def used() -> SimpleNamespace:
    return SimpleNamespace(input=907, output=300)


def sample(address: str) -> Callable[[str, str, Callable[[], Awaitable[SimpleNamespace]]], Awaitable[None]]:
    """The page's sample as a coroutine, with the daemon's address in place of the default one."""
    (found,) = samples(PAGE, "python")
    assert "127.0.0.1:50051" in found.text
    body = textwrap.indent(found.text.replace("127.0.0.1:50051", address), "    ")
    names: dict[str, Any] = {}
    exec(f"async def run(token, secret, call_the_upstream):\n{body}", names)
    run: Callable[[str, str, Callable[[], Awaitable[SimpleNamespace]]], Awaitable[None]] = names["run"]
    return run


def reasons(error: type[QuotaError]) -> Iterator[type[QuotaError]]:
    if "reason" in vars(error):
        yield error
    for narrower in error.__subclasses__():
        yield from reasons(narrower)
