"""The processes of a run: Postgres, the daemon, an upstream, and what stands before it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2

from benchmarks.ledger.daemons import ADMIN_TOKEN, COMMAND_SECONDS_MAX, DATA_TOKEN, SHORT_GRACE, Site, daemon
from benchmarks.ledger.processes import Process, RunFailed, environment, finished, python, running, script
from benchmarks.proxy.load import LoadResult, LoadSpec
from benchmarks.proxy.upstream import READY
from quotad.stack.commands import Command
from quotad.stack.ports import free_listen
from servicekit.migrations import Migrations, migrate

LOAD_SECONDS_MAX = 900.0
ANSWER_SECONDS_MAX = 2.0
AMPLE = "1000000000000"
STREAMS_MAX = "4000"
PEER_READY_SECONDS = 180.0
PEER_MODELS = ("e40-p0", "e40-p2", "e1000-p0")


@dataclass(frozen=True, slots=True)
class Server:
    """Something that answers the API below `url`."""

    name: str
    url: str
    key: str
    process: Process


@dataclass(frozen=True, slots=True)
class World:
    """An upstream, and a proxy before it."""

    site: Site
    upstream: Server
    proxy: Server
    quotad: Process
    proxy_database: str
    """Its own, so that its transactions can be told from the ledger's."""

    @property
    def watched(self) -> Mapping[str, int]:
        return {"proxy": self.proxy.process.pid, "upstream": self.upstream.process.pid, "quotad": self.quotad.pid}


@contextmanager
def proxy_world(site: Site) -> Iterator[World]:
    """All of it, on a daemon with a key whose limits are never reached."""
    with ExitStack() as stack:
        ledger = stack.enter_context(site.server.database())
        own = stack.enter_context(site.server.database())
        asyncio.run(migrate(site.server.url(own), Migrations("proxy")))
        quotad = stack.enter_context(daemon(site, ledger, SHORT_GRACE))
        upstream = stack.enter_context(_upstream(site))
        settings = _settings(site, own, quotad.target)
        _add_account(settings, upstream.url)
        key = _make_key(quotad.target)
        proxy = stack.enter_context(_proxy(site, settings, key))
        yield World(site, upstream, proxy, quotad.process, own)


@contextmanager
def peer(site: Site, program: Path, upstream: Server) -> Iterator[Server]:
    """LiteLLM's proxy before the same upstream, without a database, as its documentation starts it."""
    if not program.exists():
        raise RunFailed(f"LiteLLM is not installed at {program}: `make bench` installs it")
    config = site.directory / "litellm.yaml"
    models = "".join(
        f"  - model_name: {name}\n    litellm_params:\n      model: openai/{name}\n"
        f"      api_base: {upstream.url}\n      api_key: bench\n"
        for name in PEER_MODELS
    )
    config.write_text(f"model_list:\n{models}", "utf-8")
    listen = free_listen()
    own = {"LITELLM_MASTER_KEY": "sk-bench", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    argv = (
        str(program),
        "--config",
        str(config),
        "--host",
        "127.0.0.1",
        "--port",
        str(listen.port),
        "--telemetry",
        "False",
    )
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    command = Command(argv, {**environment(own), "PATH": path}, cwd=site.directory)
    with running("litellm", command, site.log("litellm")) as process:
        server = Server("LiteLLM", f"http://{listen}/v1", "sk-bench", process)
        process.wait_until(lambda: _answers(f"http://{listen}/health/liveliness"), PEER_READY_SECONDS)
        yield server


def load(spec: LoadSpec) -> LoadResult:
    """Run a load in a process of its own; raises `RunFailed` where a request failed."""
    result = LoadResult.from_json(finished(python("benchmarks.proxy.load"), LOAD_SECONDS_MAX, spec.to_json()))
    if result.errors:
        raise RunFailed(f"{result.errors} requests failed; the first: {result.first_error}")
    return result


def asked(server: Server, spec: LoadSpec) -> LoadSpec:
    """The load, sent to this server."""
    return replace(spec, url=server.url, key=server.key)


@contextmanager
def _upstream(site: Site) -> Iterator[Server]:
    listen = free_listen()
    command = python("benchmarks.proxy.upstream", str(listen.port))
    with running("upstream", command, site.log("upstream")) as process:
        process.wait_until(lambda: process.says(READY))
        yield Server("direct", f"http://{listen}/v1", "bench", process)


@contextmanager
def _proxy(site: Site, settings: Mapping[str, str], key: str) -> Iterator[Server]:
    with running("proxy", script("quota-proxy", "serve", settings=settings), site.log("proxy")) as process:
        url = f"http://{settings['PROXY_LISTEN']}"
        process.wait_until(lambda: _answers(f"{url}/healthz"))
        yield Server("proxy", f"{url}/v1", key, process)


def _settings(site: Site, database: str, quotad: str) -> dict[str, str]:
    return {
        "PROXY_DATABASE_URL": site.server.url(database),
        "PROXY_LISTEN": str(free_listen()),
        "PROXY_QUOTAD_ADDRESS": quotad,
        "PROXY_QUOTAD_TOKEN": DATA_TOKEN,
        "PROXY_KEY_FILE": str(site.directory / "proxy.key"),
        "PROXY_STREAMS_MAX": STREAMS_MAX,
        "PROXY_KEY_STREAMS_MAX": STREAMS_MAX,
        "PROXY_OUTBOX_DIR": str(site.directory / "outbox"),
        "PROXY_LOG_LEVEL": "WARNING",
    }


def _add_account(settings: Mapping[str, str], upstream_url: str) -> None:
    command = script(
        "quota-proxy", "accounts", "add", "bench", "--base-url", upstream_url, "--api-key", "bench", settings=settings
    )
    finished(command, COMMAND_SECONDS_MAX)


def _make_key(quotad: str) -> str:
    limits = ("--limit", f"requests:day:{AMPLE}", "--limit", f"total_tokens:day:{AMPLE}")
    settings = {"QUOTAD_ADDRESS": quotad, "QUOTAD_TOKEN": ADMIN_TOKEN}
    made = finished(
        script("quotad", "keys", "create", "bench", *limits, "--json", settings=settings), COMMAND_SECONDS_MAX
    )
    return str(json.loads(made)["secret"])


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=ANSWER_SECONDS_MAX, trust_env=False).status_code == 200
    except httpx2.HTTPError:
        return False
