"""Schemathesis against a running service: what its OpenAPI document promises, and that nothing makes it fail."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.processes import command

CHECKS = ",".join(
    (
        *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
        *("response_headers_conformance", "response_schema_conformance"),
    )
)
SEED = "1"
RUN_SECONDS_MAX = 50.0


async def fuzz(
    document: Mapping[str, object],
    url: str,
    directory: Path,
    headers: Mapping[str, str],
    *arguments: str,
    examples: int,
    phases: str = "coverage,fuzzing",
) -> subprocess.CompletedProcess[str]:
    """Run it over every operation of the document; its exit code is 0 where no check failed."""
    path = directory / "openapi.json"
    path.write_text(json.dumps(document), "utf-8")
    argv: Sequence[str] = (
        *(command("schemathesis"), "run", str(path), "--url", url, "--checks", CHECKS, "--seed", SEED),
        *("--max-examples", str(examples), "--phases", phases, "--generation-database", "none"),
        *("--no-color", "--warnings", "off", "--request-timeout", "10", "--continue-on-failure"),
        *(part for name, value in headers.items() for part in ("--header", f"{name}: {value}")),
        *arguments,
    )
    return await asyncio.to_thread(
        subprocess.run, argv, cwd=directory, capture_output=True, text=True, check=False, timeout=RUN_SECONDS_MAX
    )
