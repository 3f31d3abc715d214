"""`quotad up`: the whole product on one machine, from an empty directory to the first request."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from quotad.client.types import OutcomeUnknown
from quotad.errors import QuotaError
from quotad.stack import leftovers, services
from quotad.stack.datadir import DataDirectory, hold
from quotad.stack.demo import ensure_demo_key
from quotad.stack.errors import StackError
from quotad.stack.ports import Ports, assign_ports, free_listen, require_free
from quotad.stack.postgres import Cluster, open_cluster
from quotad.stack.processes import Say
from quotad.stack.services import Site
from quotad.stack.settings import Options, StackSettings
from quotad.stack.signals import StopSignals
from quotad.stack.stackjson import Secrets, load_secrets, write_content
from quotad.stack.summary import summary
from quotad.stack.supervisor import Supervisor, first_failure
from servicekit.settings import load_settings
from servicekit.stackfile import StackFile

CONNECTIONS = 80
"""Of quotad, the dashboard, commands and a few for a human."""
CONNECTIONS_PER_PROXY = 10
"""Twice a proxy's pool, which counts again while the proxy restarts."""
FIRST_SIGN_IN = "first sign-in"
"""What the dashboard says while it has no password."""
DEMO_SERVES = "serving"
"""What `quota-proxy accounts ensure-demo` says while no other account exists."""


def up(options: Options, say: Say) -> None:
    """Run the stack until a stop signal; raises `StackError` or `SettingsInvalid` with nothing left running."""
    settings = load_settings(StackSettings)
    ports = assign_ports(options.port_base, options.proxies)
    with hold(options.data_dir) as directory:
        _end_leftovers(directory, say)
        _require_programs()
        require_free(ports)
        _clear(options.ready_file)
        try:
            asyncio.run(_Run(directory, options, settings, ports, say).until_stopped())
        except OSError as exc:
            raise StackError(f"the data directory {directory.path} cannot be used: {exc}") from exc


class _Run:
    """One run of the stack in a data directory that is ours."""

    def __init__(
        self, directory: DataDirectory, options: Options, settings: StackSettings, ports: Ports, say: Say
    ) -> None:
        self._directory = directory
        self._options = options
        self._settings = settings
        self._ports = ports
        self._say = say
        self._supervisor = Supervisor(directory, say)
        self._exits = AsyncExitStack()

    async def until_stopped(self) -> None:
        with StopSignals(self._supervisor.kill) as signals:
            async with self._exits:
                if await signals.during(self._start()):
                    await signals.during(self._supervisor.keep())
        self._say("stopped")

    async def _start(self) -> None:
        site = await self._open_site()
        self._say("bringing the database schemas up to date")
        await self._supervisor.run("migrate", services.migrate_command(site))
        self._say(f"starting quotad, {len(self._ports.proxies)} proxies and the dashboard")
        async with first_failure() as tasks:
            parts = [services.quotad_service(site), *services.proxy_services(site), services.dashboard_service(site)]
            tasks.create_task(self._start_demo(site))  # first, because it takes two steps
            tasks.create_task(self._supervisor.start(parts))
        content = await self._with_demo_key(site)
        self._announce(site, content)
        if self._options.ready_file is not None:  # last, so that whoever waits for it finds everything said
            write_content(self._options.ready_file, content)

    async def _open_site(self) -> Site:
        """The database and everything that can be known before a service runs, noted in `stack.json`."""
        secrets = load_secrets(self._directory, self._settings)
        cluster = None if self._settings.database_url.get_secret_value() else await self._open_cluster(secrets)
        self._exits.push_async_callback(self._supervisor.stop)
        self._exits.callback(_clear, self._options.ready_file)
        metrics = services.assign_metrics(self._ports, [free_listen() for _ in range(len(self._ports.proxies) + 1)])
        database_url = (
            cluster.database_url(secrets.postgres_password)
            if cluster
            else self._settings.database_url.get_secret_value()
        )
        site = Site(self._directory, database_url, secrets, self._ports, metrics)
        write_content(self._directory.stack_file, site.content())
        if cluster:
            await self._supervisor.start([services.postgres_service(cluster)])
        return site

    async def _open_cluster(self, secrets: Secrets) -> Cluster:
        self._say("starting Postgres")
        known = secrets.postgres_password if secrets.knows_postgres_password else None
        settings = {"max_connections": str(CONNECTIONS + CONNECTIONS_PER_PROXY * len(self._ports.proxies))}
        directory, new = self._directory.path, secrets.postgres_password
        cluster = await asyncio.to_thread(open_cluster, directory, known, new, settings)
        self._exits.callback(cluster.close)
        return cluster

    async def _start_demo(self, site: Site) -> None:
        if DEMO_SERVES in await self._supervisor.run("ensure-demo", services.ensure_demo_command(site)):
            self._say("no account is configured: a built-in demo upstream answers")
            await self._supervisor.start([services.demo_service(site)])

    async def _with_demo_key(self, site: Site) -> StackFile:
        try:
            demo_api_key = await ensure_demo_key(str(site.ports.quotad), site.secrets)
        except (QuotaError, OutcomeUnknown) as exc:
            raise StackError(f"the demo key cannot be made: {exc}") from exc
        content = replace(site, secrets=replace(site.secrets, demo_api_key=demo_api_key)).content()
        write_content(self._directory.stack_file, content)
        return content

    def _announce(self, site: Site, content: StackFile) -> None:
        self._say(summary(content, self._directory.path))
        if any(FIRST_SIGN_IN in line for line in self._supervisor.output("dashboard")):
            self._say(f"dashboard bootstrap token: {site.secrets.bootstrap_token}")


def _end_leftovers(directory: DataDirectory, say: Say) -> None:
    """End what an earlier `up` could not, because it was killed itself."""
    processes = leftovers.living(directory.children)
    if processes:
        say(f"ending what an earlier run has left: {', '.join(sorted(processes))}")
        leftovers.end(processes, services.STOP_ORDER, services.STOP_SIGNALS)
    directory.children.unlink(missing_ok=True)


def _require_programs() -> None:
    for program in services.PROGRAMS:
        if not Path(sys.executable).with_name(program).exists():
            raise StackError(f"the command {program} is not beside {sys.executable}: run `make setup`")


def _clear(ready_file: Path | None) -> None:
    """No ready file while the stack is not ready."""
    if ready_file is None:
        return
    try:
        ready_file.unlink(missing_ok=True)
        is_writable = os.access(ready_file.absolute().parent, os.W_OK)
    except OSError:
        is_writable = False
    if not is_writable:
        raise StackError(
            f"the ready file {ready_file} cannot be written: give --ready-file a path in a directory of yours"
        )
