"""What a service token may touch on the data plane."""

import pytest

from quotad import errors as e
from quotad.client.quota_client import QuotaClient
from quotad.client.types import Scope, TokenRole
from tests.support.daemons import Daemon
from tests.support.waiting import eventually

AMOUNTS = {"total_tokens": 1}


async def token(daemon: Daemon, *tenants: str, may_charge_unreserved: bool = True) -> tuple[str, str]:
    """The id and the secret of a token of role `data`."""
    async with daemon.admin() as admin:
        made = await admin.create_token(
            "part", TokenRole.DATA, tenant_ids=tenants, may_charge_unreserved=may_charge_unreserved
        )
    return made.token.token_id, made.secret


async def test_a_token_touches_its_own_tenants_only(daemon: Daemon) -> None:
    own = await daemon.create_key(name="own")
    async with daemon.admin() as admin:
        other = await admin.create_api_key("other", tenant_id="elsewhere")
    _, secret = await token(daemon, "default")
    async with QuotaClient(daemon.address, secret) as client:
        await client.reserve("a", api_key=own.secret, model="m", amounts=AMOUNTS)
        scope = Scope(tenant_id="elsewhere")
        for call in (
            client.reserve("b", api_key=other.secret, model="m", amounts=AMOUNTS),
            client.check(api_key=other.secret, model="m", amounts=AMOUNTS),
            client.describe_key(api_key=other.secret),
            client.release("b", scope=scope),
            client.finalize("b", amounts=AMOUNTS, scope=scope),
            client.get_reservation("b", scope=scope),
        ):
            with pytest.raises(e.CallerNotAllowed):
                await call


async def test_charging_without_a_reservation_needs_leave(daemon: Daemon) -> None:
    key = await daemon.create_key()
    _, secret = await token(daemon, may_charge_unreserved=False)
    scope = Scope(api_key_id=key.api_key.api_key_id)
    async with QuotaClient(daemon.address, secret) as client:
        with pytest.raises(e.CallerNotAllowed):
            await client.finalize("a", amounts=AMOUNTS, scope=scope, allow_unreserved=True, model="m", age_seconds=1)
        with pytest.raises(e.ReservationNotFound):
            await client.finalize("a", amounts=AMOUNTS, scope=scope)


async def test_an_open_stream_ends_with_its_token(daemon: Daemon) -> None:
    key = await daemon.create_key()
    token_id, secret = await token(daemon)
    async with QuotaClient(daemon.address, secret) as client, daemon.admin() as admin:
        await client.reserve("a", api_key=key.secret, model="m", amounts=AMOUNTS)
        await admin.revoke_token(token_id)
        with pytest.raises(e.CallerUnauthenticated):
            await client.reserve("b", api_key=key.secret, model="m", amounts=AMOUNTS)


async def test_usage_that_comes_after_a_release_is_in_the_audit_log(daemon: Daemon) -> None:
    key = await daemon.create_key()
    async with daemon.data() as client, daemon.admin() as admin:
        await client.reserve("a", api_key=key.secret, model="m", amounts=AMOUNTS)
        await client.release("a")
        assert not (await client.finalize("a", amounts={"total_tokens": 7})).changed

        async def noted() -> bool:
            entries = (await admin.list_audit_entries(resource_kind="reservation")).entries
            return [(entry.action, entry.resource_id, entry.after) for entry in entries] == [
                ("finalize_released", "a", '{"total_tokens": 7}')
            ]

        await eventually(noted)


async def test_a_client_of_two_tenants_is_asked_for_the_scope(daemon: Daemon) -> None:
    async with daemon.admin() as admin:
        await admin.create_api_key("other", tenant_id="elsewhere")
    async with daemon.data() as client:
        with pytest.raises(e.InvalidRequest, match="scope"):
            await client.release("unknown")
