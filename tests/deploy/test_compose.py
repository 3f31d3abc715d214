"""What docker-compose.yml promises: valid, hardened, closed to the outside, in order, of settings that exist."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

from dashboard.config import DashboardSettings
from proxy.config import ProxySettings
from quotad.server.settings import DaemonSettings
from tests.deploy.conftest import COMPOSE_FILE, ComposeFile, read_environment
from tests.support.processes import REPOSITORY, command
from tests.support.settings import variables

OURS = ("migrate", "quotad", "proxy-1", "proxy-2", "dashboard")
EVERY = ("postgres", *OURS)
PUBLISHED = ("proxy-1", "proxy-2", "dashboard")


def test_it_follows_the_compose_specification() -> None:
    """U6: the schema is the published one."""
    argv = [command("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(COMPOSE_FILE)]
    checked = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_it_has_the_whole_product(compose: ComposeFile) -> None:
    assert set(compose.services) == set(EVERY)


@pytest.mark.parametrize("name", EVERY)
def test_no_service_can_gain_rights_or_write_to_its_image(compose: ComposeFile, name: str) -> None:
    service = compose.services[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert not {"privileged", "cap_add", "devices", "network_mode", "pid"} & set(service)


@pytest.mark.parametrize("name", EVERY)
def test_images_are_pinned_to_a_version(compose: ComposeFile, name: str) -> None:
    _, _, tag = compose.services[name]["image"].partition(":")
    assert re.match(r"\d+\.\d+", tag)


def test_only_proxies_and_dashboard_are_published_and_on_loopback(compose: ComposeFile) -> None:
    published = {name: service["ports"] for name, service in compose.services.items() if "ports" in service}
    assert published == {
        "proxy-1": ["127.0.0.1:8080:8080"],
        "proxy-2": ["127.0.0.1:8081:8080"],
        "dashboard": ["127.0.0.1:8090:8090"],
    }


def test_quotad_and_the_database_are_on_the_internal_network_alone(compose: ComposeFile) -> None:
    assert compose.content["networks"]["ledger"] == {"internal": True}
    for name in set(EVERY) - set(PUBLISHED):
        assert compose.services[name]["networks"] == ["ledger"]


def test_everything_waits_for_the_database_and_then_for_the_migrations(compose: ComposeFile) -> None:
    assert compose.services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("quotad", *PUBLISHED):
        assert compose.services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_callers_depend_on_quotad_and_so_stop_before_it(compose: ComposeFile) -> None:
    """S12: settlements still find the daemon."""
    for name in PUBLISHED:
        assert "quotad" in compose.services[name]["depends_on"]


def test_all_migrations_run_once_and_are_not_restarted(compose: ComposeFile) -> None:
    migrate = compose.services["migrate"]
    assert migrate["restart"] == "no"
    assert migrate["command"][-1].split("; ") == ["quotad migrate", "quota-proxy migrate", "quota-dashboard migrate"]


@pytest.mark.parametrize("name", ["postgres", "quotad", *PUBLISHED])
def test_what_runs_on_is_restarted_and_watched(compose: ComposeFile, name: str) -> None:
    assert compose.services[name]["restart"] == "unless-stopped"
    assert compose.services[name]["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", ["quotad", *PUBLISHED])
def test_readiness_is_asked_where_the_service_answers_it(compose: ComposeFile, name: str) -> None:
    service = compose.services[name]
    listens = {value for variable, value in service["environment"].items() if variable.endswith("METRICS_LISTEN")}
    assert listens == {"127.0.0.1:9464"}
    assert "http://127.0.0.1:9464/readyz" in service["healthcheck"]["test"][-1]


def test_a_stop_leaves_every_service_its_own_bounds(compose: ComposeFile) -> None:
    proxy, daemon, dashboard = ProxySettings(), DaemonSettings(), DashboardSettings()
    assert _grace(compose, "proxy-1") > proxy.answer_stop_seconds + proxy.stop_seconds + proxy.settle_stop_seconds
    assert _grace(compose, "quotad") > daemon.stop_seconds
    assert _grace(compose, "dashboard") > dashboard.stop_seconds


def test_every_variable_and_secret_is_a_setting_of_its_service(compose: ComposeFile) -> None:
    known = set(variables())
    for name in OURS:
        service = compose.services[name]
        assert set(service.get("environment", {})) <= known
        assert {target.upper() for target in _targets(service)} <= known


def test_secrets_are_files_in_one_place(compose: ComposeFile) -> None:
    """Compose refuses any other kind of secret for a container with a read-only root."""
    for name, secret in compose.content["secrets"].items():
        assert secret == {"file": f"./deploy/secrets/{name}"}


def test_the_environment_example_names_what_the_file_reads(compose: ComposeFile) -> None:
    example = read_environment(REPOSITORY / "deploy" / "env.example")
    assert set(example) == compose.variables
    assert example["QUOTAD_DATA_TOKEN"] == example["QUOTAD_ADMIN_TOKEN"] == ""


def _grace(compose: ComposeFile, name: str) -> float:
    return float(compose.services[name]["stop_grace_period"].removesuffix("s"))


def _targets(service: Mapping[str, Any]) -> list[str]:
    return [secret if isinstance(secret, str) else secret["target"] for secret in service["secrets"]]
