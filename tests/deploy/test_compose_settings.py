"""The services' settings as the compose file and the made secrets give them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

import asyncpg
import pytest
from pydantic_settings import BaseSettings
from sqlalchemy import make_url

from dashboard.config import DashboardSettings, load_dashboard_settings
from proxy.config import ProxySettings, load_proxy_settings
from proxy.records.secrets import load_secret_box
from quotad.server.settings import DaemonSettings, load_daemon_settings
from quotad.stack.binaries import INSTALLATIONS, WHEEL
from servicekit import settings as shared
from servicekit.migrations import Migrations, migrate
from servicekit.sealing import Sealer, load_key
from tests.deploy.conftest import compose_file, read_environment
from tests.support.postgres import Server
from tests.support.processes import REPOSITORY
from tests.support.settings import variables

DEPLOY = REPOSITORY / "deploy"
LOADERS: Mapping[str, Callable[[], BaseSettings]] = {
    "quotad": load_daemon_settings,
    "quota-proxy": load_proxy_settings,
    "quota-dashboard": load_dashboard_settings,
}


def load_make_secrets() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_secrets", DEPLOY / "make_secrets.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A copy of the repository's top in which the secrets were made."""
    load_make_secrets().make_secrets(tmp_path)
    return tmp_path


def test_secrets_are_made_once_and_stay(top: Path) -> None:
    before = {path: path.read_bytes() for path in (top / "deploy" / "secrets").iterdir()}
    assert load_make_secrets().make_secrets(top) == []
    assert {path: path.read_bytes() for path in before} == before


def test_secrets_are_closed_to_other_users_of_the_machine(top: Path) -> None:
    assert stat.S_IMODE((top / "deploy" / "secrets").stat().st_mode) == 0o700
    assert stat.S_IMODE((top / ".env").stat().st_mode) == 0o600


def test_the_secrets_are_those_that_the_compose_file_mounts(top: Path) -> None:
    compose = compose_file(read_environment(top / ".env"))
    made = {path.name for path in (top / "deploy" / "secrets").iterdir()}
    assert made == set(compose.content["secrets"])


@pytest.mark.parametrize("name", ["quotad", "proxy-1", "proxy-2", "dashboard"])
def test_each_service_starts_with_what_it_is_given(top: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    settings = mounted(top, monkeypatch, name)
    service = compose_file(read_environment(top / ".env")).services[name]
    own = {variable for variable in service["environment"] if variable in variables(type(settings))}
    given = {f"{settings.model_config['env_prefix']}{field}".upper() for field in settings.model_fields_set}
    secrets = {target(secret).upper() for secret in service["secrets"]}
    assert given == own | secrets


def test_callers_and_daemon_share_their_tokens(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon, proxy, dashboard = (mounted(top, monkeypatch, name) for name in ("quotad", "proxy-1", "dashboard"))
    assert isinstance(daemon, DaemonSettings)
    assert isinstance(proxy, ProxySettings)
    assert isinstance(dashboard, DashboardSettings)
    assert proxy.quotad_token == daemon.bootstrap_data_token
    assert dashboard.quotad_token == daemon.bootstrap_admin_token
    assert proxy.quotad_addresses == ("quotad:50051",)


def test_the_made_keys_encrypt(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, dashboard = (mounted(top, monkeypatch, name) for name in ("proxy-1", "dashboard"))
    assert isinstance(proxy, ProxySettings)
    assert isinstance(dashboard, DashboardSettings)
    load_secret_box(top / "absent", proxy.secret_key.get_secret_value())
    Sealer(*load_key(top / "absent", dashboard.secret_key.get_secret_value(), setting="DASHBOARD_SECRET_KEY"))
    assert proxy.secret_key != dashboard.secret_key
    assert not (top / "absent").exists()


@pytest.fixture
def services_url(top: Path, postgres_server: Server) -> Iterator[str]:
    """The database that the script for Postgres' first start makes, as the role that it makes."""
    given = make_url(postgres_server.url)
    environment = {
        "PATH": f"{psql_directory()}:/usr/bin:/bin",
        "PGHOST": str(given.query.get("host") or given.host),
        "PGPORT": str(given.port or 5432),
        "PGPASSWORD": str(given.password),
        "POSTGRES_USER": str(given.username),
        "QUOTA_PASSWORD_FILE": str(top / "deploy" / "secrets" / "database_password"),
    }
    subprocess.run([str(DEPLOY / "postgres" / "10-quota.sh")], env=environment, check=True, timeout=30)
    try:
        made = make_url((top / "deploy" / "secrets" / "database_url").read_text("utf-8").strip())
        url = given.set(username=made.username, password=made.password, database=made.database)
        yield url.render_as_string(hide_password=False)
    finally:
        postgres_server.execute("DROP DATABASE quota_services WITH (FORCE)")
        postgres_server.execute("DROP ROLE quota_services")


async def test_the_services_need_no_superuser(services_url: str) -> None:
    for service in ("quotad", "proxy", "dashboard"):
        await migrate(services_url, Migrations(service))
    connection = await asyncpg.connect(services_url)
    try:
        superuser = await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    finally:
        await connection.close()
    assert superuser is False


def target(secret: str | dict[str, str]) -> str:
    return secret if isinstance(secret, str) else secret["target"]


def mounted(top: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> BaseSettings:
    """The settings that a service of the compose file starts with."""
    service = compose_file(read_environment(top / ".env")).services[name]
    secrets_dir = top / f"secrets of {name}"
    secrets_dir.mkdir(exist_ok=True)
    for secret in service["secrets"]:
        source = secret if isinstance(secret, str) else secret["source"]
        shutil.copyfile(top / "deploy" / "secrets" / source, secrets_dir / target(secret))
    with monkeypatch.context() as patch:
        for variable in set(os.environ) & set(variables()):
            patch.delenv(variable)
        for variable, value in service["environment"].items():
            patch.setenv(variable, value)
        patch.setattr(shared, "SECRETS_DIR", secrets_dir)
        patch.chdir(secrets_dir)
        return LOADERS[service["command"][0]]()


def psql_directory() -> Path:
    spec = importlib.util.find_spec(WHEEL)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / INSTALLATIONS["18"] / "bin"
