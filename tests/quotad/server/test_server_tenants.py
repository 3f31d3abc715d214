"""Service tokens: what a token's tenants and its revocation mean for the control plane."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest

from protos.quota.v1 import quota_pb2 as pb
from protos.quota.v1 import quota_pb2_grpc as rpc
from quotad import errors as e
from quotad.client.admin import AdminClient
from quotad.client.connection import Connection
from quotad.client.types import TokenRole
from tests.quotad.server.test_server_authentication import bearer, reason_of
from tests.support.daemons import ADMIN_TOKEN, Daemon, quotad
from tests.support.waiting import eventually

Call = Callable[[AdminClient], Awaitable[object]]


@asynccontextmanager
async def admin(daemon: Daemon, token: str) -> AsyncIterator[AdminClient]:
    async with Connection(daemon.address, token, retry_seconds=0.5) as connection:
        yield AdminClient(connection, "tests")


async def make_token(daemon: Daemon, name: str, *tenant_ids: str, role: TokenRole = TokenRole.ADMIN) -> str:
    async with daemon.admin() as everywhere:
        return (await everywhere.create_token(name, role, tenant_ids=tenant_ids)).secret


CALLS: list[Call] = [
    lambda admin: admin.create_api_key("x"),
    lambda admin: admin.get_api_key("key_x"),
    lambda admin: admin.list_api_keys(),
    lambda admin: admin.update_api_key("key_x", name="y"),
    lambda admin: admin.rotate_api_key("key_x"),
    lambda admin: admin.delete_api_key("key_x"),
    lambda admin: admin.create_group("x"),
    lambda admin: admin.get_group("grp_x"),
    lambda admin: admin.list_groups(),
    lambda admin: admin.update_group("grp_x", name="y"),
    lambda admin: admin.delete_group("grp_x"),
    lambda admin: admin.list_audit_entries(),
]
TOKEN_CALLS: list[Call] = [
    lambda admin: admin.create_token("x", TokenRole.ADMIN),
    lambda admin: admin.list_tokens(),
    lambda admin: admin.revoke_token("tok_x"),
]


async def test_a_token_of_one_tenant_cannot_touch_another(daemon: Daemon) -> None:
    blue = await make_token(daemon, "blue", "blue")
    async with admin(daemon, blue) as client:
        for call in CALLS:
            with pytest.raises(e.CallerNotAllowed):
                await call(client)
        made = await client.create_api_key("theirs", tenant_id="blue")
        assert made.api_key.tenant_id == "blue"


async def test_a_token_of_one_tenant_cannot_touch_tokens(daemon: Daemon) -> None:
    """It could otherwise make itself one for all tenants."""
    blue = await make_token(daemon, "blue", "blue")
    async with admin(daemon, blue) as client:
        for call in TOKEN_CALLS:
            with pytest.raises(e.CallerNotAllowed):
                await call(client)


async def test_a_token_of_one_tenant_does_not_see_edits_of_tokens(daemon: Daemon) -> None:
    blue = await make_token(daemon, "blue", "blue")
    async with admin(daemon, blue) as client, daemon.admin() as everywhere:
        await client.create_group("team", tenant_id="blue")
        seen = (await client.list_audit_entries("blue")).entries
        everything = (await everywhere.list_audit_entries("blue")).entries
    assert [(entry.resource_kind, entry.author.token_name, entry.author.actor) for entry in seen] == [
        ("group", "blue", "tests")
    ]
    assert [entry.resource_kind for entry in everything] == ["group", "token"]


async def test_a_revoked_token_ends_at_once_here_and_soon_elsewhere(database_url: str) -> None:
    async with quotad(database_url) as here, quotad(database_url) as there:
        secret = await make_token(here, "proxies", role=TokenRole.DATA)
        await eventually(lambda: answers(there, secret), 5)
        assert await answers(here, secret)
        async with here.admin() as client:
            (token,) = [token for token in (await client.list_tokens()).tokens if token.name == "proxies"]
            await client.revoke_token(token.token_id)
        assert not await answers(here, secret)
        await eventually(lambda: is_refused(there, secret), 5)


async def test_a_revoked_token_of_the_settings_stays_revoked_after_a_restart(database_url: str) -> None:
    async with quotad(database_url) as daemon:
        data_token = await make_token(daemon, "second", role=TokenRole.ADMIN)
        async with daemon.admin() as client:
            (bootstrap,) = [found for found in (await client.list_tokens()).tokens if "admin" in found.name]
            await client.revoke_token(bootstrap.token_id)
    async with quotad(database_url) as daemon:
        assert not await answers(daemon, ADMIN_TOKEN)
        assert await answers(daemon, data_token)


async def test_an_actor_that_no_database_takes_is_kept_without_it(daemon: Daemon) -> None:
    async with grpc.aio.insecure_channel(daemon.address) as channel:
        request = pb.CreateGroupRequest(request_id="once", group=pb.Group(name="team"))
        metadata = (*bearer(ADMIN_TOKEN), ("quota-actor", "a%00b%ff"))
        await rpc.AdminServiceStub(channel).CreateGroup(request, metadata=metadata)
    async with daemon.admin() as client:
        (entry,) = (await client.list_audit_entries()).entries
    assert entry.author.actor == "ab�"


async def answers(daemon: Daemon, secret: str) -> bool:
    """Whether the daemon knows the token."""
    async with grpc.aio.insecure_channel(daemon.address) as channel:
        try:
            await rpc.QuotaServiceStub(channel).DescribeKey(
                pb.DescribeKeyRequest(api_key="nobody"), metadata=bearer(secret)
            )
        except grpc.aio.AioRpcError as error:
            return reason_of(error) == "API_KEY_UNKNOWN"
    raise AssertionError("nobody has a key")


async def is_refused(daemon: Daemon, secret: str) -> bool:
    return not await answers(daemon, secret)
