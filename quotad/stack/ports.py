"""Which port is whose, and who sits on one that we need."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from quotad.stack.errors import StackError
from servicekit.listening import Listen

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Ports:
    """The listeners of a stack, all on loopback."""

    quotad: Listen
    quotad_metrics: Listen
    demo_upstream: Listen
    dashboard: Listen
    proxies: tuple[Listen, ...]

    def __iter__(self) -> Iterator[Listen]:
        yield from (self.quotad, self.quotad_metrics, self.demo_upstream, self.dashboard, *self.proxies)


def assign_ports(base: int | None, proxies: int) -> Ports:
    """The default ports, or all from `base` upward; raises `StackError` when they do not exist."""
    fixed = (50051, 9464, 8070, 8090) if base is None else (base, base + 1, base + 2, base + 3)
    first = 8080 if base is None else base + 4
    quotad, quotad_metrics, demo_upstream, dashboard, *of_proxies = (
        Listen(HOST, port) for port in (*fixed, *range(first, first + proxies))
    )
    ports = Ports(quotad, quotad_metrics, demo_upstream, dashboard, tuple(of_proxies))
    numbers = [listen.port for listen in ports]
    if max(numbers) > 65535:
        raise StackError(f"--port-base {base} with {proxies} proxies passes port 65535: choose a lower one")
    if len(set(numbers)) < len(numbers):
        raise StackError(f"{proxies} proxies from port {first} upward meet the dashboard's port: use --port-base")
    return ports


def require_free(ports: Ports) -> None:
    """Raise `StackError` that names the first port in use, its holder and what to do."""
    for listen in ports:
        if not _is_free(listen):
            raise StackError(
                f"port {listen.port} is in use by {holder(listen.port)}: stop it, or move every port with --port-base N"
            )


def free_listen() -> Listen:
    """An address that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return Listen(HOST, probe.getsockname()[1])


def holder(port: int) -> str:
    """The process that listens on `port`, in words; without the right to see it, "another process"."""
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections(kind="tcp"):
            is_holder = connection.status == psutil.CONN_LISTEN and tuple(connection.laddr)[1:] == (port,)
            if is_holder and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return "another process"


def _is_free(listen: Listen) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listen.host, listen.port))
        except OSError:
            return False
    return True
