"""`quotad doctor`: flags and output; the checks are in `quotad.doctor`."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Annotated

import typer

from quotad.cli.connection import CommandSettings
from quotad.cli.output import print_json, print_table
from quotad.doctor.daemon import Caller
from quotad.doctor.examine import examine
from quotad.doctor.findings import Finding, Verdict, fail
from quotad.doctor.outboxes import OutboxSettings
from quotad.server.settings import load_daemon_settings
from servicekit.commands import CommandFailed
from servicekit.logs import configure_logs
from servicekit.settings import SettingsInvalid, fill_missing, load_settings
from servicekit.stackfile import StackFile, data_dir, read_stack


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> None:
    """Check settings, database, ports, disk, outboxes and daemon, and say what to do: exits 1 when a check fails."""
    configure_logs("quotad", "ERROR")  # retries under way are told by their outcome
    findings = _findings()
    if as_json:
        print_json([dataclasses.asdict(finding) for finding in findings])
    else:
        rows = [(finding.verdict.value, finding.check, _text(finding)) for finding in findings]
        print_table(("", "CHECK", "FINDING"), rows)
        typer.echo("accounts are not looked at from here: `quota-proxy accounts list` says how each stands")
    failed = sum(finding.verdict is Verdict.FAIL for finding in findings)
    if failed:
        raise CommandFailed(f"{failed} of {len(findings)} checks failed")


def _findings() -> list[Finding]:
    stack = read_stack()
    try:
        settings, commands = load_daemon_settings(), load_settings(CommandSettings)
        outboxes = load_settings(OutboxSettings)
    except SettingsInvalid as exc:
        return [fail("settings", str(exc), "correct it; docs/settings.md lists every one")]
    if stack is not None:
        metrics = stack.get("metrics", {}).get("quotad", settings.metrics_listen).removeprefix("http://")
        settings = fill_missing(settings, {"listen": stack["quotad"], "metrics_listen": metrics})
    caller = _caller(commands, stack, settings.listen)
    return asyncio.run(examine(settings, caller, data_dir(), outboxes.outbox_dir))


def _caller(settings: CommandSettings, stack: StackFile | None, listen: str) -> Caller:
    named = settings.address or (stack["quotad"] if stack else "")
    return Caller(
        address=named or listen,
        is_named=bool(named),
        token=settings.token.get_secret_value() or (stack["quotad_admin_token"] if stack else ""),
        tls_ca=settings.tls_ca,
        tls_cert=settings.tls_client_cert,
        tls_key=settings.tls_client_key,
    )


def _text(finding: Finding) -> str:
    return f"{finding.said}: {finding.advice}" if finding.advice else finding.said
