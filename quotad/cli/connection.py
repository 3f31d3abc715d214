"""Which quotad the commands talk to, and with what token."""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self, TypeVar

import grpc
from pydantic import SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from quotad.client.admin import AdminClient
from quotad.client.connection import Connection
from quotad.client.data import DataClient
from quotad.client.types import OutcomeUnknown
from servicekit.commands import CommandFailed, CommandNotBegun
from servicekit.logs import configure_logs
from servicekit.settings import load_settings, require_pair
from servicekit.stackfile import read_stack

RETRY_SECONDS = 3.0
"""An operator waits for the answer; a daemon that restarts is back by then."""

Result = TypeVar("Result")


class CommandSettings(BaseSettings):
    """Where quotad is, for commands."""

    model_config = SettingsConfigDict(env_prefix="QUOTAD_", env_file=".env", extra="ignore", frozen=True)

    address: str = ""
    """`host:port`, several separated by commas; a running stack's when empty."""
    token: SecretStr = SecretStr("")
    """Of role `admin`; a running stack's when empty."""
    tls_ca: Path | None = None
    """Certificates to trust; without them the connection is in the clear."""
    tls_client_cert: Path | None = None
    """Shown to a daemon that asks for a client's certificate."""
    tls_client_key: Path | None = None

    @model_validator(mode="after")
    def _has_a_whole_certificate(self) -> Self:
        require_pair(self, "tls_client_cert", "tls_client_key")
        if self.tls_client_cert is not None and self.tls_ca is None:
            raise ValueError("QUOTAD_TLS_CLIENT_CERT needs QUOTAD_TLS_CA")
        return self

    def connection(self, address: str, token: str) -> Connection:
        """Raises `CommandNotBegun`, naming the file, where a certificate or key cannot be read."""
        for name in ("tls_ca", "tls_client_cert", "tls_client_key"):
            path: Path | None = getattr(self, name)
            if path is not None and not path.is_file():
                raise CommandNotBegun(f"QUOTAD_{name.upper()}: {path} is not a file")
        return Connection(
            address.split(","),
            token,
            retry_seconds=RETRY_SECONDS,
            tls_ca=self.tls_ca,
            tls_cert=self.tls_client_cert,
            tls_key=self.tls_client_key,
        )


def with_admin(work: Callable[[AdminClient], Awaitable[Result]]) -> Result:
    """Run `work` with a client of the daemon that the environment names, else of the running stack."""
    return _connected(lambda connection: work(AdminClient(connection, f"os:{_os_user()}")))


def with_data(work: Callable[[DataClient], Awaitable[Result]]) -> Result:
    """The same for the reads of the data plane, which a token of role `admin` may call, too."""
    return _connected(lambda connection: work(DataClient(connection)))


def _connected(work: Callable[[Connection], Awaitable[Result]]) -> Result:
    configure_logs("quotad", "ERROR")  # of retries under way the operator hears by their outcome
    return asyncio.run(_with_connection(work))


async def _with_connection(work: Callable[[Connection], Awaitable[Result]]) -> Result:
    settings = load_settings(CommandSettings)
    address, token = _address_and_token(settings)
    async with settings.connection(address, token) as connection:
        try:
            return await work(connection)
        except OutcomeUnknown as exc:
            raise _plain(exc, address) from exc


def _os_user() -> str:
    """Who runs the command; a number where the system has no name for it, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _address_and_token(settings: CommandSettings) -> tuple[str, str]:
    stack = read_stack()
    address = settings.address or (stack["quotad"] if stack else "")
    token = settings.token.get_secret_value() or (stack["quotad_admin_token"] if stack else "")
    if not address:
        raise CommandNotBegun(
            "no quotad to talk to: start one with `quotad up`, or set QUOTAD_ADDRESS and QUOTAD_TOKEN"
        )
    if not token:
        raise CommandNotBegun("no token for quotad: set QUOTAD_TOKEN to one of role admin")
    return address, token


def _plain(error: OutcomeUnknown, address: str) -> CommandFailed:
    if error.code is grpc.StatusCode.UNAVAILABLE:
        return CommandFailed(f"quotad at {address} cannot be reached: is it running, and is QUOTAD_ADDRESS right?")
    return CommandFailed(
        f"quotad at {address} gave no definite answer ({error.code.name}): see what holds, then repeat"
    )
