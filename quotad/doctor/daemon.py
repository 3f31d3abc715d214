"""What a daemon that should be running answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from quotad.client.admin import AdminClient
from quotad.client.connection import Connection
from quotad.client.tls import channel_credentials
from quotad.client.types import OutcomeUnknown
from quotad.doctor.findings import Finding, fail, ok, warn
from quotad.errors import CallerNotAllowed, CallerUnauthenticated, QuotaError

ANSWER_SECONDS_MAX = 3.0


@dataclass(frozen=True, slots=True)
class Caller:
    """How commands reach the daemon."""

    address: str
    is_named: bool
    """An operator or a running stack says that there is one; otherwise it is where one would be."""
    token: str = field(default="", repr=False)
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None


async def health_finding(caller: Caller) -> Finding:
    """Whether it can be reached and says that it serves."""
    try:
        async with _channel(caller) as channel:
            answer = await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=ANSWER_SECONDS_MAX
            )
    except grpc.aio.AioRpcError as error:
        said = f"no answer from {caller.address} ({error.code().name})"
        advice = "start it with `quotad serve`; where it asks for TLS, set QUOTAD_TLS_CA and its companions"
        return fail("daemon", said, advice) if caller.is_named else warn("daemon", said, advice)
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        return fail(
            "daemon", f"{caller.address} does not serve", "its database is away, or it is stopping: see its log"
        )
    return ok("daemon", f"{caller.address} serves")


async def token_finding(caller: Caller) -> Finding:
    """Whether the token of commands is good for them; ask only a daemon that serves."""
    if not caller.token:
        return warn("token of commands", "none is set", "set QUOTAD_TOKEN to one of role admin")
    async with Connection(
        caller.address.split(","),
        caller.token,
        retry_seconds=ANSWER_SECONDS_MAX,
        tls_ca=caller.tls_ca,
        tls_cert=caller.tls_cert,
        tls_key=caller.tls_key,
    ) as connection:
        try:
            await AdminClient(connection, "doctor").list_api_keys(page_size=1)
        except CallerUnauthenticated:
            return fail("token of commands", "the daemon does not know it", "set QUOTAD_TOKEN to one of role admin")
        except CallerNotAllowed:
            return warn("token of commands", "its role is data", "set QUOTAD_TOKEN to one of role admin")
        except (QuotaError, OutcomeUnknown) as error:
            return fail("token of commands", f"it cannot be tried: {error}", "see the log of quotad")
    return ok("token of commands", "it may edit keys")


def _channel(caller: Caller) -> grpc.aio.Channel:
    address = caller.address.split(",", maxsplit=1)[0]
    if caller.tls_ca is None:
        return grpc.aio.insecure_channel(address)
    credentials = channel_credentials(caller.tls_ca, caller.tls_cert, caller.tls_key)
    return grpc.aio.secure_channel(address, credentials)
