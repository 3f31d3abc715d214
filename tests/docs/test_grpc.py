"""docs/grpc.md: its samples run, and its table has every reason with its code."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc.aio
import pytest

from protos.quota.v1 import quota_pb2 as pb
from protos.quota.v1 import quota_pb2_grpc as rpc
from quotad.errors import QuotaError
from tests.docs.pages import samples
from tests.support.daemons import DATA_TOKEN, Daemon, limit, quotad
from tests.support.processes import REPOSITORY

PAGE = REPOSITORY / "docs" / "grpc.md"
ADDRESS = "127.0.0.1:50051"
ROW = re.compile(r"^\| `(?P<reason>[A-Z_]+)` \| `(?P<code>[A-Z_]+)` \|", re.MULTILINE)
METHOD = re.compile(r"quota\.v1\.QuotaService/(\w+)$", re.MULTILINE)
SHELL_SECONDS = 50.0


async def test_the_sample_charges_what_was_used(database_url: str) -> None:
    async with quotad(database_url) as daemon:
        created = await daemon.create_key(limit("total_tokens", 10_000))
        await sample(daemon.address)(DATA_TOKEN, created.secret, used)
        async with daemon.data() as client:
            described = await client.describe_key(api_key=created.secret)
    assert [(status.used, status.held) for status in described.limits] == [(1207, 0)]


async def test_every_grpcurl_line_works_in_order(database_url: str, tmp_path: Path) -> None:
    async with quotad(database_url) as daemon:
        created = await daemon.create_key(limit("total_tokens", 10_000))
        said = await run_lines(daemon, created.secret, tmp_path)
        async with daemon.data() as client:
            described = await client.describe_key(api_key=created.secret)
    assert [(status.used, status.held) for status in described.limits] == [(945, 0)]
    assert {"quota.v1.QuotaService", "quota.v1.AdminService"} <= set(said[0].split())
    assert json.loads(said[1])["reservation"]["state"] == "RESERVATION_STATE_RESERVED"
    assert json.loads(said[3])["changed"] is True
    assert json.loads(said[-1])["status"] == "SERVING"


def test_every_call_of_the_data_plane_has_its_line() -> None:
    (lines,) = samples(PAGE, "sh")
    assert set(METHOD.findall(lines.text)) == {
        method.name for method in pb.DESCRIPTOR.services_by_name["QuotaService"].methods
    }


async def test_the_service_config_is_one_that_grpc_takes(daemon: Daemon) -> None:
    (config,) = samples(PAGE, "json")
    options = [("grpc.service_config", json.dumps(json.loads(config.text)))]
    created = await daemon.create_key()
    async with grpc.aio.insecure_channel(daemon.address, options=options) as channel:
        described = await rpc.QuotaServiceStub(channel).DescribeKey(
            pb.DescribeKeyRequest(api_key=created.secret), metadata=(("authorization", f"Bearer {DATA_TOKEN}"),)
        )
    assert described.api_key.name == "demo"


def test_every_reason_is_there_with_its_code() -> None:
    listed = {row["reason"]: row["code"] for row in ROW.finditer(PAGE.read_text("utf-8"))}
    assert listed == {error.reason: error.code.name for error in reasons(QuotaError)}


async def used() -> SimpleNamespace:
    return SimpleNamespace(input=907, output=300)


def sample(address: str) -> Callable[[str, str, Callable[[], Awaitable[SimpleNamespace]]], Awaitable[None]]:
    """The page's sample as a coroutine, with the daemon's address in place of the default one."""
    (found,) = samples(PAGE, "python")
    assert ADDRESS in found.text
    body = textwrap.indent(found.text.replace(ADDRESS, address), "    ")
    names: dict[str, Any] = {}
    exec(f"async def run(token, secret, call_the_upstream):\n{body}", names)
    run: Callable[[str, str, Callable[[], Awaitable[SimpleNamespace]]], Awaitable[None]] = names["run"]
    return run


async def run_lines(daemon: Daemon, secret: str, directory: Path) -> list[str]:
    """What each line of the page's shell sample prints, with grpcurl itself where it is installed."""
    if shutil.which("grpcurl") is None:
        stand_in = directory / "grpcurl"
        stand_in.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).with_name("grpcurl.py")}" "$@"\n')
        stand_in.chmod(0o755)
    (found,) = samples(PAGE, "sh")
    environment = {
        "PATH": f"{os.environ['PATH']}:{directory}",
        "PYTHONPATH": str(REPOSITORY),
        "TOKEN": DATA_TOKEN,
        "KEY": secret,
    }
    return [await shell(line.replace(ADDRESS, daemon.address), environment) for line in found.lines]


async def shell(line: str, environment: dict[str, str]) -> str:
    process = await asyncio.create_subprocess_shell(
        line, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(SHELL_SECONDS):
        output, errors = await process.communicate()
    assert process.returncode == 0, f"{line}\n{errors.decode()}"
    return output.decode()


def reasons(error: type[QuotaError]) -> Iterator[type[QuotaError]]:
    if "reason" in vars(error):
        yield error
    for narrower in error.__subclasses__():
        yield from reasons(narrower)


@pytest.fixture
async def daemon(database_url: str) -> Any:
    async with quotad(database_url) as running:
        yield running
