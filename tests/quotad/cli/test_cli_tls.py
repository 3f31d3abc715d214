"""Commands towards a daemon that asks for a client's certificate."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.quotad.cli.conftest import Run
from tests.support.certificates import Authority
from tests.support.commands import run_command
from tests.support.daemons import ADMIN_TOKEN, quotad


async def test_commands_show_their_certificate(database_url: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ours")
    served, operator = authority.pair("quotad"), authority.pair("operator")
    async with quotad(database_url, tls_cert=served.cert, tls_key=served.key, tls_client_ca=authority.ca) as daemon:
        settings = {
            "QUOTAD_ADDRESS": daemon.address,
            "QUOTAD_TOKEN": ADMIN_TOKEN,
            "QUOTAD_TLS_CA": str(authority.ca),
            "QUOTAD_TLS_CLIENT_CERT": str(operator.cert),
            "QUOTAD_TLS_CLIENT_KEY": str(operator.key),
        }
        arguments = ("keys", "list", "--json")
        listed = await asyncio.to_thread(run_command, "quotad", *arguments, settings=settings, directory=tmp_path)
    assert (listed.code, listed.json) == (0, []), listed.stderr


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"QUOTAD_TLS_CA": "/nowhere.pem"}, "QUOTAD_TLS_CA: /nowhere.pem is not a file"),
        ({"QUOTAD_TLS_CLIENT_CERT": "/nowhere.pem"}, "QUOTAD_TLS_CLIENT_CERT and QUOTAD_TLS_CLIENT_KEY go together"),
        (
            {"QUOTAD_TLS_CLIENT_CERT": "/nowhere.pem", "QUOTAD_TLS_CLIENT_KEY": "/nowhere.pem"},
            "QUOTAD_TLS_CLIENT_CERT needs QUOTAD_TLS_CA",
        ),
    ],
)
def test_a_certificate_that_cannot_be_used_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], said: str
) -> None:
    for name, value in {"QUOTAD_ADDRESS": "127.0.0.1:1", "QUOTAD_TOKEN": ADMIN_TOKEN, **settings}.items():
        monkeypatch.setenv(name, value)
    ended = run("keys", "list")
    assert ended.code == 2
    assert said in ended.stderr
