from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from quotad import errors as e
from quotad.client import OutcomeUnknown, QuotaClient
from servicekit.listening import ListenRefused
from tests.support.daemons import DATA_TOKEN, quotad


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "quotad")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert_path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_path, key_path


async def test_with_a_certificate_callers_that_trust_it_are_served(
    database_url: str, certificate: tuple[Path, Path]
) -> None:
    cert, key = certificate
    async with quotad(database_url, listen="0.0.0.0:0", tls_cert=cert, tls_key=key) as daemon:
        address = daemon.address.replace("0.0.0.0", "127.0.0.1")
        async with QuotaClient(address, DATA_TOKEN, tls_ca=cert) as client:
            with pytest.raises(e.ApiKeyUnknown):
                await client.describe_key(api_key="nobody")
        async with QuotaClient(address, DATA_TOKEN, retry_seconds=0.3) as in_the_clear:
            with pytest.raises(OutcomeUnknown):
                await in_the_clear.describe_key(api_key="nobody")


async def test_beyond_loopback_a_listener_in_the_clear_must_be_asked_for(database_url: str) -> None:
    with pytest.raises(ListenRefused, match="not a loopback address"):
        async with quotad(database_url, listen="0.0.0.0:0"):
            raise AssertionError("it must not start")
    async with quotad(database_url, listen="0.0.0.0:0", insecure=True) as daemon:
        assert daemon.address.startswith("0.0.0.0:")
