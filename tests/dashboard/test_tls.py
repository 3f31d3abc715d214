"""What changes under TLS, here or at a terminator in front."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from dashboard.auth import cookies
from servicekit.web import Tls
from tests.dashboard.world import running, set_first_password

TERMINATOR = "127.0.0.1"


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    """A certificate for 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False)
    certificate = builder.sign(key, hashes.SHA256())
    made = Tls(tmp_path / "cert.pem", tmp_path / "key.pem")
    made.cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made


async def test_under_tls_the_cookie_is_secure_and_bound_to_the_host(database_url: str, tls: Tls) -> None:
    async with running(database_url, tls=tls) as dashboard, dashboard.signed_in() as operator:
        assert cookies.TLS_NAME in operator.cookies
        answer = await operator.get("/api/accounts")
        assert answer.status_code == 200
        assert answer.headers["strict-transport-security"].startswith("max-age=")


async def test_a_named_terminator_is_believed_about_scheme_and_address(database_url: str) -> None:
    forwarded = {"x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.7"}
    async with (
        running(database_url, trusted_proxies=TERMINATOR) as dashboard,
        dashboard.client(**forwarded) as client,
    ):
        answer = await set_first_password(client)
        assert answer.headers["set-cookie"].startswith(f"{cookies.TLS_NAME}=")
        assert "; secure" in answer.headers["set-cookie"].lower()
        async with dashboard.services.database.transaction() as connection:
            addresses = await connection.exec_driver_sql("SELECT address FROM dashboard.sessions")
            assert addresses.scalars().all() == ["192.0.2.7"]


async def test_nobody_else_is_believed(database_url: str) -> None:
    forwarded = {"x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.7"}
    async with running(database_url) as dashboard, dashboard.client(**forwarded) as client:
        answer = await set_first_password(client)
        assert answer.headers["set-cookie"].startswith(f"{cookies.NAME}=")
        assert "strict-transport-security" not in answer.headers
        async with dashboard.services.database.transaction() as connection:
            addresses = await connection.exec_driver_sql("SELECT address FROM dashboard.sessions")
            assert addresses.scalars().all() == ["127.0.0.1"]
