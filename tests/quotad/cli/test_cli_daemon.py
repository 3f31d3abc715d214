from __future__ import annotations

import asyncio
import json
from pathlib import Path

import asyncpg
import pytest

from tests.quotad.cli.conftest import Run
from tests.support.commands import taken_address
from tests.support.daemons import limit, quotad


async def execute(database_url: str, statement: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def use(database_url: str) -> None:
    async with quotad(database_url) as daemon:
        key = await daemon.create_key(limit())
        async with daemon.data() as client:
            await client.reserve("held", api_key=key.secret, model="m", amounts={"total_tokens": 5})
            await client.reserve("used", api_key=key.secret, model="m", amounts={"total_tokens": 5})
            await client.finalize("used", amounts={"total_tokens": 4})


@pytest.fixture
def database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("QUOTAD_DATABASE_URL", database_url)
    return database_url


def test_a_sound_ledger_passes_its_audit(run: Run, database: str) -> None:
    """B10: conservation can be proved at any time."""
    asyncio.run(use(database))
    sound = run("audit")
    assert (sound.code, sound.stdout, sound.stderr) == (0, "every window adds up\n", "")
    assert run("audit", "--json").json == []


def test_an_unsound_ledger_fails_its_audit_and_says_where(run: Run, database: str) -> None:
    """B10: the audit names the window and both numbers."""
    asyncio.run(use(database))
    asyncio.run(execute(database, "UPDATE quotad.windows SET used = used + 3"))
    unsound = run("audit")
    assert (unsound.code, unsound.stderr) == (1, "quotad: 1 windows do not add up\n")
    assert "held 5, by reservations 5; used 7, charged 4" in unsound.stdout
    (difference,) = run("audit", "--json").json
    assert (difference["used"], difference["charged_to_reservations"]) == (7, 4)


def test_beside_a_running_stack_the_audit_needs_no_database_url(
    run: Run, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("QUOTA_DATA_DIR", str(tmp_path))
    (tmp_path / "stack.json").write_text(json.dumps({"database_url": database_url}))
    assert run("audit").code == 0


def test_migrating_twice_changes_nothing(run: Run, database: str) -> None:
    first = run("migrate")
    assert (first.code, first.stdout) == (0, run("migrate").stdout)


def test_a_daemon_refuses_a_schema_that_it_does_not_know(run: Run, database: str) -> None:
    asyncio.run(execute(database, "UPDATE quotad.alembic_version SET version_num = '9999'"))
    refused = run("serve", "--listen", "127.0.0.1:0")
    assert refused.code == 2
    assert "is at version 9999" in refused.stderr.splitlines()[-1]


@pytest.mark.parametrize("command", ["serve", "migrate", "audit"])
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://quota:hidden-word@127.0.0.1:1/quota", "cannot be used"),
        ("mysql://quota:hidden-word@127.0.0.1/quota", "postgresql"),
        ("nonsense hidden-word", "postgresql"),
        ("postgresql://[quota:hidden-word@127.0.0.1/quota", "postgresql"),
        ("", "QUOTAD_DATABASE_URL: not set"),
    ],
    ids=["nobody there", "another system", "no url", "no host", "none"],
)
def test_an_unusable_database_is_told_in_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str, url: str, said: str
) -> None:
    monkeypatch.setenv("QUOTAD_DATABASE_URL", url)
    ended = run(command)
    assert (ended.code, ended.stdout) == (2, "")
    assert said in ended.stderr
    assert "hidden-word" not in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("QUOTAD_LISTEN", "nonsense", "QUOTAD_LISTEN: 'nonsense' is not of the form host:port"),
        ("QUOTAD_LISTEN", "0.0.0.0:0", "is not a loopback address: give a certificate"),
        ("QUOTAD_QUEUE_MAX", "many", "QUOTAD_QUEUE_MAX: "),
        ("QUOTAD_DEFAULT_LEASE_SECONDS", "0", "QUOTAD_DEFAULT_LEASE_SECONDS: "),
        ("QUOTAD_BOOTSTRAP_DATA_TOKEN", "short", "QUOTAD_BOOTSTRAP_DATA_TOKEN: a token has at least 16"),
        ("QUOTAD_TLS_CERT", "/nowhere.pem", "QUOTAD_TLS_CERT and QUOTAD_TLS_KEY go together"),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not_told_where_it_is_secret(
    run: Run, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv("QUOTAD_DATABASE_URL", "postgresql://127.0.0.1:1/quota")
    monkeypatch.setenv(variable, value)
    ended = run("serve")
    assert ended.code == 2
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "short" not in ended.stderr


@pytest.mark.parametrize("flag", ["--listen", "--metrics-listen"])
def test_a_port_that_is_taken_is_named(run: Run, database: str, flag: str) -> None:
    with taken_address() as address:
        addresses = {"--listen": "127.0.0.1:0", "--metrics-listen": "127.0.0.1:0", flag: address}
        ended = run("serve", *(word for pair in addresses.items() for word in pair))
    assert ended.code == 2
    assert f"cannot listen on {address}" in ended.stderr.splitlines()[-1]


def test_a_certificate_that_cannot_be_read_is_told(run: Run, database: str) -> None:
    ended = run("serve", "--listen", "127.0.0.1:0", "--tls-cert", "/nowhere.pem", "--tls-key", "/nowhere.pem")
    assert ended.code == 2
    assert "cannot read the certificate or its key (/nowhere.pem)" in ended.stderr.splitlines()[-1]
