"""pgbench: Postgres' own load generator, here for one function call per request without anything around it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from benchmarks.ledger.baseline.store import SETTINGS
from benchmarks.ledger.method import ACTUAL_AMOUNTS, LEASE_SECONDS, MODEL, RENEW_EVERY, REQUEST_AMOUNTS
from benchmarks.ledger.processes import RunFailed, environment, finished
from benchmarks.ledger.spec import KeySet
from quotad.stack.binaries import find_binaries
from quotad.stack.commands import Command

SPARE_SECONDS = 60.0
THREADS = 2
TPS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)


def run(
    settings: Mapping[str, str],
    directory: Path,
    keys: KeySet,
    *,
    clients: int,
    seconds: float,
) -> float:
    """Pairs per second of `clients` connections on the functions of the baseline; raises `RunFailed`."""
    path = directory / "pair.pgbench"
    path.write_text(pair_script(keys), "utf-8")
    installation = find_binaries(directory / "postgres", None, directory).installation
    argv = [
        *(str(installation / "bin" / "pgbench"), "-n", "-M", "prepared", "-f", str(path)),
        *("-c", str(clients), "-j", str(min(clients, THREADS)), "-T", str(max(1, round(seconds)))),
        *("-D", "n=0", "-D", f"run={secrets.randbelow(10**9)}"),
    ]
    # The planner settings of the baseline's own connections.
    options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    command = Command(tuple(argv), environment({**settings, "PGOPTIONS": options}))
    return pairs_per_second(finished(command, seconds + SPARE_SECONDS))


def pair_script(keys: KeySet) -> str:
    """One pair, as two calls in autocommit; one in ten is renewed in between. Another outcome ends the run."""
    tenant = "'default'" if keys.tenants == 1 else f"'tenant-' || (:key % {keys.tenants})"
    reservation_id = ":run::text || '-' || :client_id::text || '-' || :n::text"
    lease = f"interval '{LEASE_SECONDS:g} s'"
    reserve = f"'{keys.prefix}' || :key::text, {reservation_id}, '{MODEL}', {_arrays(REQUEST_AMOUNTS)}, {lease}"
    finalize = f"{tenant}, {reservation_id}, {_arrays(ACTUAL_AMOUNTS)}"
    return f"""\\set n :n + 1
\\set key random(0, {keys.count - 1})
SELECT 1 / (outcome = 'reserved')::int FROM baseline.reserve_v1({reserve});
\\if :n % {RENEW_EVERY} = 0
SELECT count(*) FROM baseline.renew_v1({tenant}, ARRAY[{reservation_id}], {lease});
\\endif
SELECT 1 / (outcome = 'finalized')::int FROM baseline.finalize_v1({finalize});
"""


def pairs_per_second(output: str) -> float:
    found = TPS.search(output)
    if found is None:
        raise RunFailed(f"pgbench told no rate: {output[-500:]}")
    return float(found[1])


def _arrays(amounts: Mapping[str, int]) -> str:
    metrics = ", ".join(f"'{metric}'" for metric in amounts)
    return f"ARRAY[{metrics}]::text[], ARRAY[{', '.join(map(str, amounts.values()))}]::bigint[]"
