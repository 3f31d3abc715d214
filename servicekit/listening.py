"""Where a service listens, and when it must refuse to."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass


class ListenRefused(RuntimeError):
    """The listener would be unsafe or cannot be had; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Listen:
    """An address to listen on."""

    host: str
    port: int

    @classmethod
    def parse(cls, value: str) -> Listen:
        """Read `host:port` or `[v6]:port`; raises `ValueError`."""
        host, separator, port = value.rpartition(":")
        if not separator or not host or not port.isdigit() or int(port) > 65535:
            raise ValueError(f"{value!r} is not of the form host:port")
        return cls(host.strip("[]"), int(port))

    @property
    def is_loopback(self) -> bool:
        """True only where every address that the host name stands for is a loopback address."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def require_safe(listen: Listen, *, setting: str, has_tls: bool, insecure: bool) -> None:
    """Refuse to listen beyond loopback in the clear unless the operator says so."""
    if listen.is_loopback or has_tls or insecure:
        return
    raise ListenRefused(
        f"{setting}={listen} is not a loopback address: give a certificate (--tls-cert, --tls-key), "
        f"or say --insecure where a trusted network protects it"
    )


def hold_shared(listen: Listen, *, setting: str) -> socket.socket:
    """A bound socket that keeps the port for several listeners of ours, and never listens itself.

    Whoever sets SO_REUSEPORT, and runs as our user, may then listen there; everybody else finds the port taken.
    """
    if not hasattr(socket, "SO_REUSEPORT"):
        raise ListenRefused(f"several processes cannot listen on {listen} ({setting}) on this system")
    holder = bind(listen, setting=setting)
    # Only after the bind, which must find the port free of listeners but not of connections that have just ended.
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return holder


def bind(listen: Listen, *, setting: str) -> socket.socket:
    """A bound TCP socket; a port in use is a `ListenRefused` that names it."""
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((listen.host, listen.port))
    except OSError as exc:
        listener.close()
        raise ListenRefused(f"cannot listen on {listen} ({setting}): {exc.strerror}") from exc
    return listener
