"""Running an ASGI app, and the listener beside it that answers readiness and metrics."""

from __future__ import annotations

import hmac
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from servicekit.bounded_http import BoundedHttpProtocol
from servicekit.listening import Listen, bind

KEEP_ALIVE_SECONDS = 75
"""Longer than the idle time-out of common load balancers (60 s), so that they never send into a closed socket."""


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate and its key, as files."""

    cert: Path
    key: Path


class QuietServer(uvicorn.Server):
    """A uvicorn server that leaves signals to its owner, who sets `should_exit`."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def http_server(app: ASGIApp, *, stop_seconds: int, tls: Tls | None = None, trusted_proxies: str = "") -> QuietServer:
    """A server for `app`; run it with `await server.serve(sockets=[...])`. Signals are the caller's."""
    config = uvicorn.Config(
        app,
        http=BoundedHttpProtocol,
        ws="none",
        loop="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=trusted_proxies or None,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=stop_seconds,
        ssl_certfile=tls.cert if tls else None,
        ssl_keyfile=tls.key if tls else None,
    )
    return QuietServer(config)


def metrics_server(
    listen: Listen,
    *,
    setting: str,
    is_ready: Callable[[], Awaitable[bool]],
    token: str = "",
    registry: CollectorRegistry = REGISTRY,
    notes: Callable[[], Sequence[str]] = tuple,
) -> tuple[QuietServer, socket.socket]:
    """A server with `/metrics` and `/readyz` and its bound socket; beyond loopback every call needs `token`.

    `notes` are lines that `/readyz` adds: what an operator should know although the service may be ready.
    """

    def authorised(request: Request) -> bool:
        given = request.headers.get("authorization", "").encode()
        return listen.is_loopback or (bool(token) and hmac.compare_digest(given, f"Bearer {token}".encode()))

    async def metrics(request: Request) -> Response:
        if not authorised(request):
            return PlainTextResponse("a bearer token is needed\n", 401)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    async def ready(request: Request) -> Response:
        if not authorised(request):
            return PlainTextResponse("a bearer token is needed\n", 401)
        is_there = await is_ready()
        lines = ["ready" if is_there else "not ready", *notes()]
        return PlainTextResponse("\n".join(lines) + "\n", 200 if is_there else 503)

    app = Starlette(routes=[Route("/metrics", metrics), Route("/readyz", ready)])
    return http_server(app, stop_seconds=1), bind(listen, setting=setting)
