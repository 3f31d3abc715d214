"""All checks in the order in which a daemon needs what they look at."""

from __future__ import annotations

from pathlib import Path

from quotad.doctor.daemon import Caller, health_finding, token_finding
from quotad.doctor.findings import Finding, Verdict, fail, ok
from quotad.doctor.judgements import inspection_findings
from quotad.doctor.machine import directory_finding, port_finding
from quotad.doctor.outboxes import outbox_findings
from quotad.errors import Unavailable
from quotad.server.settings import DaemonSettings
from quotad.store.inspection import inspect
from servicekit.database import first_line
from servicekit.migrations import Migrations, known_version

SCHEMAS = ("quotad", "proxy", "dashboard")


async def examine(settings: DaemonSettings, caller: Caller, directory: Path, outbox_dir: Path) -> list[Finding]:
    """Every finding; whatever cannot be looked at is a finding, too."""
    findings = [ok("settings", "every one can be read"), *await _database(settings)]
    health = await health_finding(caller)
    is_serving = health.verdict is Verdict.OK
    is_here = is_serving and caller.address == settings.listen
    findings.append(port_finding("QUOTAD_LISTEN", settings.listen, is_serving=is_here))
    findings.append(port_finding("QUOTAD_METRICS_LISTEN", settings.metrics_listen, is_serving=is_here))
    findings.append(directory_finding(directory))
    findings.extend(outbox_findings(outbox_dir))
    findings.append(health)
    if is_serving:
        findings.append(await token_finding(caller))
    return findings


async def _database(settings: DaemonSettings) -> list[Finding]:
    known = {schema: known_version(Migrations(schema)) for schema in SCHEMAS}
    try:
        inspection = await inspect(settings.database_url.get_secret_value(), known["quotad"])
    except Unavailable as error:
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        advice = "see that Postgres runs, that QUOTAD_DATABASE_URL names it, and that its role may connect"
        return [fail("database", f"cannot be used: {first_line(cause)}", advice)]
    return list(inspection_findings(inspection, known))
