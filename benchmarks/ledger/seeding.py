"""Keys and old rows in numbers that no client would make one by one: copies of one that was made properly.

A copy takes whatever columns the tables have, so that the schema may change.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

from benchmarks.ledger.cluster import STATEMENT_SECONDS_MAX, Connection
from benchmarks.ledger.spec import KeySet

TENANT = "CASE WHEN $3 = 1 THEN k.tenant_id ELSE 'tenant-' || (n % $3) END"

COPY_KEYS = (
    """
INSERT INTO quotad.tenants (tenant_id) SELECT 'tenant-' || n FROM generate_series(0, $1 - 1) AS n WHERE $1 > 1
ON CONFLICT DO NOTHING
""",
    f"""
INSERT INTO quotad.api_key_tenants (api_key_id, tenant_id)
SELECT $2 || n, {TENANT} FROM quotad.api_keys AS k CROSS JOIN generate_series(0, $4 - 1) AS n WHERE k.api_key_id = $1
""",
    f"""
INSERT INTO quotad.api_keys SELECT made.*
FROM quotad.api_keys AS k CROSS JOIN generate_series(0, $4 - 1) AS n
CROSS JOIN LATERAL jsonb_populate_record(NULL::quotad.api_keys, to_jsonb(k) || jsonb_build_object(
    'tenant_id', {TENANT}, 'api_key_id', $2 || n, 'request_id', $2 || n, 'name', $2 || n)) AS made
WHERE k.api_key_id = $1
""",
    f"""
INSERT INTO quotad.limits SELECT made.*
FROM quotad.limits AS k CROSS JOIN generate_series(0, $4 - 1) AS n
CROSS JOIN LATERAL jsonb_populate_record(NULL::quotad.limits, to_jsonb(k) || jsonb_build_object(
    'tenant_id', {TENANT}, 'api_key_id', $2 || n, 'limit_id', gen_random_uuid())) AS made
WHERE k.api_key_id = $1
""",
)

MAKE_BASELINE_KEYS = """
INSERT INTO baseline.api_keys (api_key_id, tenant_id, limit_ids, metrics, window_kinds, max_values)
SELECT $1 || n, CASE WHEN $2 = 1 THEN 'default' ELSE 'tenant-' || (n % $2) END,
    ARRAY[2 * n, 2 * n + 1], ARRAY['requests', 'total_tokens'], ARRAY['day', 'day'], ARRAY[$4::bigint, $4::bigint]
FROM generate_series(0, $3 - 1) AS n
"""
SETTLED_ROW = "SELECT * FROM quotad.reservations WHERE settle_time IS NOT NULL ORDER BY create_time DESC LIMIT 1"
COLUMNS = """
SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = 'quotad.reservations'::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
"""
SETTLE_TIME_AHEAD = "30 days"
"""The copies are never due, so that the purge has the same to do with them as without them."""
ROWS_PER_BLOCK = 5_000


async def copy_key(connection: Connection, api_key_id: str, keys: KeySet) -> None:
    """Copies of a key and its limits, spread over the tenants of `keys`."""
    tenants, *others = COPY_KEYS
    await connection.execute(tenants, keys.tenants)
    for statement in others:
        arguments = (api_key_id, keys.prefix, keys.tenants, keys.count)
        await connection.execute(statement, *arguments, timeout=STATEMENT_SECONDS_MAX)
    await connection.execute("ANALYZE")


async def make_baseline_keys(connection: Connection, keys: KeySet, max_value: int) -> None:
    await connection.execute(MAKE_BASELINE_KEYS, keys.prefix, keys.tenants, keys.count, max_value)
    await connection.execute("ANALYZE")


async def copy_settled(connection: Connection, rows: int) -> None:
    """Copies, by COPY, of the last settled reservation, which must have been charged nothing: else nothing adds up."""
    columns: list[str] = await connection.fetchval(COLUMNS)
    sample = await _sample(connection, columns)
    await connection.copy_to_table(
        "reservations",
        schema_name="quotad",
        columns=columns,
        source=_copies(sample, columns.index("reservation_id"), rows),
        timeout=STATEMENT_SECONDS_MAX,
    )
    await connection.execute("ANALYZE quotad.reservations", timeout=STATEMENT_SECONDS_MAX)


async def _sample(connection: Connection, columns: list[str]) -> list[bytes]:
    """The fields of the row in COPY's text form, its settle time moved ahead."""
    shown = ", ".join(
        f"settle_time + interval '{SETTLE_TIME_AHEAD}'" if column == "settle_time" else f'"{column}"'
        for column in columns
    )
    buffer = io.BytesIO()
    query = f"SELECT {shown} FROM ({SETTLED_ROW}) AS settled"
    await connection.copy_from_query(query, output=buffer)
    return buffer.getvalue().rstrip(b"\n").split(b"\t")


async def _copies(sample: list[bytes], id_place: int, rows: int) -> AsyncIterator[bytes]:
    """Blocks of lines; the ids look like UUIDs that are older than any that a load makes."""
    head, tail = b"\t".join(sample[:id_place]), b"\t".join(sample[id_place + 1 :])
    head, tail = head + b"\t" if head else b"", b"\t" + tail + b"\n"
    for first in range(0, rows, ROWS_PER_BLOCK):
        numbers = range(first, min(rows, first + ROWS_PER_BLOCK))
        yield b"".join(b"%b00000000-0000-7000-8000-%012x%b" % (head, number, tail) for number in numbers)
