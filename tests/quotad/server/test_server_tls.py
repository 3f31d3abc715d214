from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from quotad import errors as e
from quotad.client import OutcomeUnknown, QuotaClient
from servicekit.listening import ListenRefused
from servicekit.settings import SettingsInvalid
from tests.support.certificates import Authority
from tests.support.daemons import DATA_TOKEN, Daemon, quotad


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ours")


@asynccontextmanager
async def daemon_under_tls(
    database_url: str, authority: Authority, *, client_ca: Path | None = None
) -> AsyncIterator[Daemon]:
    pair = authority.pair("quotad")
    async with quotad(database_url, tls_cert=pair.cert, tls_key=pair.key, tls_client_ca=client_ca) as daemon:
        yield daemon


async def is_served(client: QuotaClient) -> bool:
    """Whether the daemon answers at all: that it knows no such key is its own word."""
    try:
        await client.describe_key(api_key="nobody")
    except e.ApiKeyUnknown:
        return True
    except OutcomeUnknown:
        return False
    raise AssertionError("a key that nobody has made")


async def test_with_a_certificate_callers_that_trust_it_are_served(database_url: str, authority: Authority) -> None:
    async with daemon_under_tls(database_url, authority) as daemon:
        async with QuotaClient(daemon.address, DATA_TOKEN, tls_ca=authority.ca) as trusting:
            assert await is_served(trusting)
        async with QuotaClient(daemon.address, DATA_TOKEN, retry_seconds=0.3) as in_the_clear:
            assert not await is_served(in_the_clear)


async def test_a_daemon_that_asks_for_certificates_serves_whoever_shows_one(
    database_url: str, authority: Authority
) -> None:
    caller = authority.pair("proxy")
    async with daemon_under_tls(database_url, authority, client_ca=authority.ca) as daemon:
        async with QuotaClient(
            daemon.address, DATA_TOKEN, tls_ca=authority.ca, tls_cert=caller.cert, tls_key=caller.key
        ) as client:
            assert await is_served(client)


async def test_a_certificate_does_not_stand_in_for_the_token(database_url: str, authority: Authority) -> None:
    caller = authority.pair("proxy")
    async with daemon_under_tls(database_url, authority, client_ca=authority.ca) as daemon:
        async with QuotaClient(
            daemon.address, "a-token-of-a-stranger", tls_ca=authority.ca, tls_cert=caller.cert, tls_key=caller.key
        ) as stranger:
            with pytest.raises(e.CallerUnauthenticated):
                await stranger.describe_key(api_key="nobody")


async def test_a_caller_without_a_certificate_of_that_authority_is_not_served(
    database_url: str, authority: Authority, tmp_path: Path
) -> None:
    foreign = Authority(tmp_path, "theirs").pair("stranger")
    async with daemon_under_tls(database_url, authority, client_ca=authority.ca) as daemon:
        async with QuotaClient(daemon.address, DATA_TOKEN, retry_seconds=0.3, tls_ca=authority.ca) as without:
            assert not await is_served(without)
        async with QuotaClient(
            daemon.address,
            DATA_TOKEN,
            retry_seconds=0.3,
            tls_ca=authority.ca,
            tls_cert=foreign.cert,
            tls_key=foreign.key,
        ) as stranger:
            assert not await is_served(stranger)


async def test_certificates_are_asked_for_under_tls_only(database_url: str, authority: Authority) -> None:
    with pytest.raises(SettingsInvalid, match="QUOTAD_TLS_CLIENT_CA needs QUOTAD_TLS_CERT"):
        async with quotad(database_url, tls_client_ca=authority.ca):
            raise AssertionError("it must not start")


async def test_half_a_client_certificate_is_refused(authority: Authority) -> None:
    with pytest.raises(ValueError, match="go together"):
        QuotaClient("127.0.0.1:1", DATA_TOKEN, tls_ca=authority.ca, tls_cert=authority.pair("proxy").cert)


async def test_beyond_loopback_a_listener_in_the_clear_must_be_asked_for(
    database_url: str, authority: Authority
) -> None:
    with pytest.raises(ListenRefused, match="not a loopback address"):
        async with quotad(database_url, listen="0.0.0.0:0"):
            raise AssertionError("it must not start")
    async with quotad(database_url, listen="0.0.0.0:0", insecure=True) as daemon:
        assert daemon.address.startswith("0.0.0.0:")
    pair = authority.pair("quotad")
    async with quotad(database_url, listen="0.0.0.0:0", tls_cert=pair.cert, tls_key=pair.key) as daemon:
        assert daemon.address.startswith("0.0.0.0:")
