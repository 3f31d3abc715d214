"""From facts to findings. Pure: the facts are passed in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from quotad.doctor.findings import Finding, fail, ok, warn
from quotad.store.inspection import OVERDUE_MAX, Clock, Contents, Inspection, Server

VERSION_NUMBER_MIN = 150_000
CLOCK_SECONDS_MAX = 1.0
"""More than that is no network's doing, and shows in the times that callers compare."""
MIGRATE = {"quotad": "quotad migrate", "proxy": "quota-proxy migrate", "dashboard": "quota-dashboard migrate"}
ROLES = ("data", "admin")


def inspection_findings(inspection: Inspection, known: Mapping[str, str]) -> Iterator[Finding]:
    """Everything that a look at the database says; `known` are this program's schema versions."""
    yield version_finding(inspection.server)
    yield from durability_findings(inspection.server)
    yield clock_finding(inspection.clock)
    for schema, found in inspection.versions.items():
        yield schema_finding(schema, found, known[schema])
    if inspection.contents is not None:
        yield tokens_finding(inspection.contents)
        yield leases_finding(inspection.contents)


def version_finding(server: Server) -> Finding:
    version = f"Postgres {server.version_number // 10_000}.{server.version_number % 10_000}"
    if server.is_standby:
        return fail("database", f"{version}, a standby: nothing can be written", "name the primary in the database URL")
    if server.version_number < VERSION_NUMBER_MIN:
        return fail("database", version, f"use Postgres {VERSION_NUMBER_MIN // 10_000} or newer")
    return ok("database", version)


def durability_findings(server: Server) -> Iterator[Finding]:
    """Whether what was acknowledged outlives a crash of the database, and a fail-over."""
    if server.fsync == "on" and server.full_page_writes == "on" and server.synchronous_commit != "off":
        yield ok("durability", f"fsync on, synchronous_commit {server.synchronous_commit}")
    if server.fsync != "on":
        yield fail("durability", "fsync is off: a crash may lose or damage the whole ledger", "set fsync = on")
    if server.full_page_writes != "on":
        yield fail("durability", "full_page_writes is off: a crash may damage the ledger", "set full_page_writes = on")
    if server.synchronous_commit == "off":
        said = "synchronous_commit is off: a crash loses settlements that were acknowledged"
        yield fail("durability", said, "set synchronous_commit = on for the database and the role of quotad")
    if not server.standbys:
        yield ok("standbys", "none is connected")
    elif server.synchronous_standby_names and server.synchronous_commit != "local":
        yield ok("standbys", f"{server.standbys} connected, synchronous: {server.synchronous_standby_names}")
    else:
        said = f"{server.standbys} connected, none waited for: a fail-over loses the latest settlements"
        yield warn(
            "standbys",
            said,
            "set synchronous_standby_names, and synchronous_commit = on, unless no standby may take over",
        )


def clock_finding(clock: Clock) -> Finding:
    ahead = clock.ahead_seconds
    said = (
        f"the database's is {abs(ahead):.3f} s {'ahead' if ahead > 0 else 'behind'}, within {clock.error_seconds:.3f} s"
    )
    if abs(ahead) - clock.error_seconds > CLOCK_SECONDS_MAX:
        return warn("clock", said, "keep both machines on NTP: windows and leases follow the database's clock")
    return ok("clock", said)


def schema_finding(schema: str, found: str | None, known: str) -> Finding:
    check = f"schema {schema}"
    if found == known:
        return ok(check, f"version {found}")
    if found is None and schema != "quotad":
        return ok(check, "absent from this database")
    if found is None:
        return fail(check, "absent", f"run `{MIGRATE[schema]}`")
    said = f"version {found}, this program needs {known}"
    return fail(check, said, f"run `{MIGRATE[schema]}` of the newer program, then start that one")


def tokens_finding(contents: Contents) -> Finding:
    missing = [role for role in ROLES if not contents.tokens_by_role.get(role)]
    said = ", ".join(f"{contents.tokens_by_role.get(role, 0)} of role {role}" for role in ROLES)
    if not missing:
        return ok("tokens", said)
    variables = " and ".join(f"QUOTAD_BOOTSTRAP_{role.upper()}_TOKEN" for role in missing)
    advice = f"set {variables} and start the daemon again"
    return fail("tokens", said, advice) if len(missing) == len(ROLES) else warn("tokens", said, advice)


def leases_finding(contents: Contents) -> Finding:
    overdue = contents.overdue_reservations
    if not overdue:
        return ok("leases", "no open reservation is past its lease")
    count = f"{overdue:,}" if overdue < OVERDUE_MAX else f"{OVERDUE_MAX:,} or more"
    return warn(
        "leases", f"{count} open reservations are past their lease", "a running daemon expires them: is one up?"
    )
