"""How a client proves whom it talks to, and, where the daemon asks for it, who it is itself."""

from __future__ import annotations

from pathlib import Path

import grpc


def channel_credentials(ca: Path, cert: Path | None = None, key: Path | None = None) -> grpc.ChannelCredentials:
    """Trust the certificates of `ca` alone; show `cert`, whose key is `key`, to a daemon that asks for one.

    Raises `ValueError` for half a pair, and `OSError` for a file that cannot be read.
    """
    if (cert is None) != (key is None):
        raise ValueError("a client certificate and its key go together")
    if cert is None or key is None:
        return grpc.ssl_channel_credentials(ca.read_bytes())
    return grpc.ssl_channel_credentials(ca.read_bytes(), key.read_bytes(), cert.read_bytes())
