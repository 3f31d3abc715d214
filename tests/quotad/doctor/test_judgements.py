from __future__ import annotations

from dataclasses import replace

import pytest

from quotad.doctor.findings import Finding, Verdict
from quotad.doctor.judgements import (
    clock_finding,
    durability_findings,
    leases_finding,
    schema_finding,
    tokens_finding,
    version_finding,
)
from quotad.store.inspection import OVERDUE_MAX, Clock, Contents, Server

DURABLE = Server(
    version_number=180_004,
    is_standby=False,
    fsync="on",
    full_page_writes="on",
    synchronous_commit="on",
    synchronous_standby_names="",
    standbys=0,
)


def verdicts(server: Server) -> dict[str, Verdict]:
    return {finding.check: finding.verdict for finding in durability_findings(server)}


def test_a_supported_primary_is_named_with_its_version() -> None:
    assert version_finding(DURABLE) == Finding("database", Verdict.OK, "Postgres 18.4")


def test_an_old_version_and_a_standby_fail() -> None:
    assert version_finding(replace(DURABLE, version_number=140_012)).verdict is Verdict.FAIL
    assert "a standby" in version_finding(replace(DURABLE, is_standby=True)).said


def test_a_durable_database_is_well() -> None:
    assert verdicts(DURABLE) == {"durability": Verdict.OK, "standbys": Verdict.OK}


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
def test_a_setting_that_may_lose_settlements_fails_and_is_named(setting: str) -> None:
    found = [f for f in durability_findings(replace(DURABLE, **{setting: "off"})) if f.verdict is Verdict.FAIL]  # type: ignore[arg-type]
    assert [setting in finding.said and setting in finding.advice for finding in found] == [True]


@pytest.mark.parametrize(
    ("names", "commit", "verdict"),
    [("", "on", Verdict.WARN), ("one", "local", Verdict.WARN), ("one", "on", Verdict.OK)],
)
def test_a_standby_that_no_commit_waits_for_is_warned_about(names: str, commit: str, verdict: Verdict) -> None:
    server = replace(DURABLE, standbys=1, synchronous_standby_names=names, synchronous_commit=commit)
    assert verdicts(server)["standbys"] is verdict


@pytest.mark.parametrize(
    ("ahead", "error", "verdict"),
    [(0.2, 0.001, Verdict.OK), (-1.4, 0.6, Verdict.OK), (-1.4, 0.1, Verdict.WARN), (5.0, 0.1, Verdict.WARN)],
)
def test_a_clock_is_off_only_beyond_what_the_network_explains(ahead: float, error: float, verdict: Verdict) -> None:
    assert clock_finding(Clock(ahead, error)).verdict is verdict


def test_another_schema_version_fails_and_an_absent_schema_of_others_does_not() -> None:
    assert schema_finding("proxy", "0003", "0003").verdict is Verdict.OK
    assert schema_finding("proxy", None, "0003") == Finding("schema proxy", Verdict.OK, "absent from this database")
    assert schema_finding("quotad", None, "0001").advice == "run `quotad migrate`"
    assert "version 0002, this program needs 0003" in schema_finding("proxy", "0002", "0003").said


def test_a_missing_token_is_named_by_the_setting_that_makes_it() -> None:
    assert tokens_finding(Contents({"data": 1, "admin": 2}, 0)).verdict is Verdict.OK
    assert tokens_finding(Contents({}, 0)).verdict is Verdict.FAIL
    one = tokens_finding(Contents({"data": 1}, 0))
    assert (one.verdict, "QUOTAD_BOOTSTRAP_ADMIN_TOKEN" in one.advice) == (Verdict.WARN, True)


def test_leases_that_nobody_expires_are_counted_up_to_a_bound() -> None:
    assert leases_finding(Contents({}, 0)).verdict is Verdict.OK
    assert leases_finding(Contents({}, 7)).said.startswith("7 open")
    assert "or more" in leases_finding(Contents({}, OVERDUE_MAX)).said
