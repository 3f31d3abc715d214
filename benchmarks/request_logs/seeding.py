"""Rows as a proxy writes them, made in the database: the table's triggers add up the totals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from benchmarks.ledger.cluster import Connection
from benchmarks.ledger.rounds import say
from benchmarks.request_logs.method import Method

SECONDS_MAX = 3_600.0

# Keys and models are chosen with a preference for the first ones; a key's requests mostly go to one account.
# 92 % are fine, 4 % refused, 2 % fail, 2 % of the callers leave.
FILL = """
INSERT INTO proxy.request_logs (
    request_log_id, request_id, reservation_id, tenant_id, api_key_id, api_key_name, account_id, account_name, path,
    model, stream, status, http_status, error_code, error_message, input_tokens, cached_input_tokens, output_tokens,
    reasoning_tokens, total_tokens, cost_microusd, basis, settlement, attempts, start_time, first_byte_ms, duration_ms,
    client_address, user_agent, denial, limit_id
)
SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'default',
    md5('key' || key), 'team-' || key || '-production', md5('account' || account), 'account-' || account,
    CASE WHEN key % 5 = 0 THEN '/backend-api/codex/responses' ELSE '/v1/responses' END,
    (ARRAY['gpt-5.1', 'gpt-5.1-codex', 'gpt-5-mini', 'gpt-5-nano', 'o5', 'gpt-4.1', 'gpt-4o', 'o4-mini'])[model],
    true, status, CASE status WHEN 'ok' THEN 200 WHEN 'error' THEN 502 WHEN 'cancelled' THEN 200 ELSE 429 END,
    CASE status WHEN 'error' THEN 'upstream_error' WHEN 'rate_limit' THEN 'rate_limit_exceeded'
        WHEN 'quota' THEN 'insufficient_quota' END,
    CASE status WHEN 'error' THEN 'The upstream failed to answer.'
        WHEN 'rate_limit' THEN format('Rate limit reached: Limit 50000, Used %s, Requested 9000.', 40000 + n % 10000)
        WHEN 'quota' THEN 'You have used up your quota.' END,
    input, input / 2, output, output / 4, input + output, (input + 8 * output) * 2, 'reported', 'finalized',
    jsonb_build_array(jsonb_build_object('account_name', 'account-' || account, 'outcome', 'done', 'http_status', 200,
        'error_code', NULL, 'duration_ms', 1200)),
    moment, 300, 1200, '10.0.' || key % 250 || '.7', 'OpenAI/Python 3.54.0',
    CASE WHEN status IN ('rate_limit', 'quota') THEN
        jsonb_build_object('limits', jsonb_build_array(jsonb_build_object(
            'limit_id', md5('limit' || key), 'metric', 'total_tokens', 'window', 'minute', 'max_value', 50000,
            'used', 47949, 'held', 0, 'requested', 9000, 'available', 2051, 'blocked_by', 'used', 'never_fits', false
        ))) END,
    CASE WHEN status IN ('rate_limit', 'quota') THEN md5('limit' || key) END
FROM (
    SELECT n, key, moment, 200 + (chance * 4000)::int AS input, 50 + (chance * 900)::int AS output,
        CASE WHEN chance < 0.9 THEN key % $4 ELSE (chance * 1000)::int % $4 END AS account,
        1 + (model_chance ^ 3 * 8)::int % 8 AS model,
        CASE WHEN status_chance < 0.92 THEN 'ok' WHEN status_chance < 0.95 THEN 'rate_limit'
            WHEN status_chance < 0.96 THEN 'quota' WHEN status_chance < 0.98 THEN 'error' ELSE 'cancelled' END AS status
    FROM (
        SELECT n, (random() ^ 3 * ($5 - 1))::int AS key, random() AS chance, random() AS model_chance,
            random() AS status_chance, $2::timestamptz + random() * ($3::timestamptz - $2::timestamptz) AS moment
        FROM generate_series(1, $1::int) AS n OFFSET 0
    ) AS chances
) AS rows
"""
SECONDARY = """
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
FROM pg_index WHERE indrelid = 'proxy.request_logs'::regclass AND NOT indisprimary
"""


async def fill(connection: Connection, method: Method, now: datetime) -> None:
    """All rows up to `now`, day by day, then their indexes, which is faster, and what autovacuum does in time."""
    indexes = await connection.fetch(SECONDARY)
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    begin = now - timedelta(days=method.days)
    for first in range(method.days + 1):
        low, high = _day(begin, now, first)
        rows = round(method.rows * (high - low) / (now - begin))
        if rows > 0:
            await connection.fetchval("SELECT proxy.make_log_day_v1($1)", low.date())
            await connection.execute(FILL, rows, low, high, method.accounts, method.keys, timeout=SECONDS_MAX)
            say(f"    {low.date()}: {rows:,} rows")
    await connection.execute("SET maintenance_work_mem = '512MB'")
    for index in indexes:
        await connection.execute(index["definition"].replace(" ON ONLY ", " ON "), timeout=SECONDS_MAX)
        say(f"    {index['name']}")
    await connection.execute("VACUUM (ANALYZE) proxy.request_logs, proxy.request_totals", timeout=SECONDS_MAX)


def _day(begin: datetime, now: datetime, number: int) -> tuple[datetime, datetime]:
    """The part of the UTC day that lies in the run's range; empty where there is none."""
    midnight = datetime.combine(begin.date(), datetime.min.time(), UTC) + timedelta(days=number)
    low = min(max(begin, midnight), now)
    return low, max(low, min(now, midnight + timedelta(days=1)))
