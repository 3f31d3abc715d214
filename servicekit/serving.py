"""What the `serve` commands have in common: a safe listener, its TLS, and the signals that end it."""

from __future__ import annotations

import asyncio
import signal
import socket

from servicekit.listening import Listen, bind, require_safe
from servicekit.settings import ServiceSettings, SettingsInvalid
from servicekit.web import QuietServer, Tls

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def stop_event() -> asyncio.Event:
    """An event that the first SIGTERM or SIGINT sets; a second one then has its usual effect."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        stopped.set()
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop)
    return stopped


def safe_listener(settings: ServiceSettings, *, has_tls: bool) -> socket.socket:
    """The bound socket of the service; raises `ListenRefused` where it would be unsafe or cannot be had."""
    listen, setting = Listen.parse(settings.listen), _name(settings, "listen")
    require_safe(listen, setting=setting, has_tls=has_tls, insecure=settings.insecure)
    return bind(listen, setting=setting)


def tls_of(settings: ServiceSettings) -> Tls | None:
    return Tls(settings.tls_cert, settings.tls_key) if settings.tls_cert and settings.tls_key else None


def load_tls(server: QuietServer, settings: ServiceSettings) -> None:
    """Read the certificate now rather than when the first caller comes; raises `SettingsInvalid`."""
    try:
        server.config.load()
    except OSError as exc:
        raise SettingsInvalid(f"{_name(settings, 'tls_cert')}, {_name(settings, 'tls_key')}: {exc}") from exc


def address_of(listener: socket.socket) -> str:
    """`host:port` as it was bound, with the port that port 0 became."""
    host, port = listener.getsockname()[:2]
    return str(Listen(host, port))


def _name(settings: ServiceSettings, field: str) -> str:
    return f"{settings.model_config.get('env_prefix', '')}{field}".upper()
