"""The ledger's statements. The functions that they call are in `functions/`, and are made by the migrations."""

LOCK_RESERVATIONS = "SELECT * FROM quotad.lock_reservations_v1($1, $2::text[], $3::text[], $4, $5)"
LOCK_WINDOWS = "SELECT * FROM quotad.lock_windows_v2($1, $2::uuid[], $3::timestamptz[], $4::timestamptz[])"
APPLY_ARGUMENTS = 52
APPLY = f"SELECT * FROM quotad.apply_v2({', '.join(f'${n + 1}' for n in range(APPLY_ARGUMENTS))})"  # noqa: S608
DROP_PENDING = """
DELETE FROM quotad.reservations WHERE tenant_id = $1 AND reservation_id = ANY ($2::text[]) AND state = 'pending'
"""
NOTE_SWEEP = "SELECT quotad.note_sweep_v1($1, $2)"

# For the transaction; more than one operation at a time waits for a shorter time: see `quotad.store.lanes`.
LOCK_TIMEOUT = "SELECT set_config('lock_timeout', $1, true)"

TENANTS = "SELECT tenant_id FROM quotad.tenants ORDER BY tenant_id"

# Oldest first, over the index of open reservations; none while the ledger comes back from an outage.
LAPSED = """
SELECT r.reservation_id
FROM quotad.reservations AS r LEFT JOIN quotad.lease_clock AS c ON true
WHERE r.tenant_id = $1 AND r.state = 'reserved' AND r.expire_time <= clock_timestamp()
    AND (c.lease_floor IS NULL OR c.lease_floor <= clock_timestamp())
    AND (c.last_sweep_time IS NULL OR c.last_sweep_time >= clock_timestamp() - $3::interval)
ORDER BY r.expire_time LIMIT $2
"""

RESERVATIONS = "SELECT * FROM quotad.reservations WHERE tenant_id = $1 AND reservation_id = ANY ($2::text[])"

IS_AMBIGUOUS = """
SELECT EXISTS (SELECT FROM quotad.tenants WHERE tenant_id <> $1)
    AND NOT EXISTS (SELECT FROM quotad.reservations WHERE tenant_id = $1 AND reservation_id = $2)
"""

# With the version under which it was read: after any edit of the tenant the secret is looked up again.
KEY_BY_SECRET = """
SELECT s.tenant_id, s.api_key_id, t.config_version
FROM quotad.api_key_secrets AS s JOIN quotad.tenants AS t ON t.tenant_id = s.tenant_id
WHERE s.secret_hash = $1
"""
KEY_BY_ID = "SELECT tenant_id, api_key_id FROM quotad.api_key_tenants WHERE api_key_id = $1"

# The version is read with the key and the limits after it: if both changed in between, apply sees an old version.
KEYS = """
SELECT k.*, t.config_version
FROM quotad.api_keys AS k JOIN quotad.tenants AS t ON t.tenant_id = k.tenant_id
WHERE k.tenant_id = $1 AND k.api_key_id = ANY ($2::text[])
"""
LIMITS = """
SELECT * FROM quotad.limits
WHERE tenant_id = $1 AND api_key_id = ANY ($2::text[]) AND remove_time IS NULL
ORDER BY api_key_id, position, limit_id
"""
# All windows of some limits that begin at one of some times: those that are asked for, and perhaps more.
WINDOWS = """
SELECT w.limit_id, w.window_start, w.reset_time, w.held, w.used, l.max_value
FROM quotad.windows AS w
JOIN quotad.limits AS l ON l.tenant_id = $1 AND l.limit_id = ANY ($2::uuid[]) AND l.limit_id = w.limit_id
WHERE w.tenant_id = $1 AND w.limit_id = ANY ($2::uuid[]) AND w.window_start = ANY ($3::timestamptz[])
"""
CONFIG_VERSION = "SELECT config_version FROM quotad.tenants WHERE tenant_id = $1"
CLOCK = "SELECT clock_timestamp()"

LOCK_TENANT = """
INSERT INTO quotad.tenants AS t (tenant_id) VALUES ($1)
ON CONFLICT (tenant_id) DO UPDATE SET config_version = t.config_version + 1
"""
KEY_BY_REQUEST = "SELECT api_key_id FROM quotad.api_keys WHERE tenant_id = $1 AND request_id = $2"
INSERT_KEY = """
INSERT INTO quotad.api_keys (
    tenant_id, api_key_id, name, secret_prefix, disabled, expire_time, allowed_models, on_missing_usage,
    default_output_tokens, request_id, etag, create_time, update_time
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, clock_timestamp(), clock_timestamp())
"""
INSERT_SECRET = "INSERT INTO quotad.api_key_secrets (secret_hash, tenant_id, api_key_id) VALUES ($1, $2, $3)"
INSERT_KEY_TENANT = "INSERT INTO quotad.api_key_tenants (api_key_id, tenant_id) VALUES ($1, $2)"
UPDATE_KEY = """
UPDATE quotad.api_keys SET
    name = $3, disabled = $4, expire_time = $5, allowed_models = $6, on_missing_usage = $7,
    default_output_tokens = $8, etag = $9, update_time = clock_timestamp()
WHERE tenant_id = $1 AND api_key_id = $2
"""
DELETE_KEY = """
UPDATE quotad.api_keys SET delete_time = clock_timestamp(), update_time = clock_timestamp(), etag = $3
WHERE tenant_id = $1 AND api_key_id = $2
"""
REMOVE_LIMITS = """
UPDATE quotad.limits SET remove_time = clock_timestamp()
WHERE tenant_id = $1 AND api_key_id = $2 AND remove_time IS NULL
"""
# A rule that stays, or comes back, keeps its id, its creation time and so its windows.
PUT_LIMIT = """
INSERT INTO quotad.limits (
    tenant_id, limit_id, api_key_id, metric, window_kind, window_seconds, time_zone, model_pattern, max_value,
    enforcement, position, create_time
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, clock_timestamp())
ON CONFLICT (tenant_id, api_key_id, metric, window_kind, window_seconds, time_zone, model_pattern) DO UPDATE SET
    max_value = excluded.max_value, enforcement = excluded.enforcement, position = excluded.position,
    remove_time = NULL
"""
LIST_KEYS = """
SELECT api_key_id FROM quotad.api_keys
WHERE tenant_id = $1 AND delete_time IS NULL AND api_key_id > $2 AND ($3 = '' OR name = $3)
ORDER BY api_key_id LIMIT $4
"""

PUT_TOKEN = """
INSERT INTO quotad.service_tokens (token_hash, name, role) VALUES ($1, $2, $3)
ON CONFLICT (token_hash) DO UPDATE SET name = excluded.name, role = excluded.role
"""
TOKENS = "SELECT token_hash, name, role FROM quotad.service_tokens"
DROP_OTHER_TOKENS = "DELETE FROM quotad.service_tokens WHERE name = $1 AND token_hash <> $2"

AUDIT_WINDOWS = """
WITH settled AS (
    SELECT r.tenant_id, h.limit_id, h.window_start,
        sum(CASE WHEN r.state = 'reserved' THEN h.held ELSE 0 END) AS held,
        sum(CASE WHEN r.state = 'finalized' THEN h.charged ELSE 0 END) AS charged
    FROM quotad.reservations AS r
    CROSS JOIN LATERAL unnest(r.hold_limit_ids, r.hold_window_starts, r.hold_amounts, r.hold_charges)
        AS h (limit_id, window_start, held, charged)
    GROUP BY r.tenant_id, h.limit_id, h.window_start
)
SELECT coalesce(w.tenant_id, s.tenant_id) AS tenant_id, coalesce(w.limit_id, s.limit_id)::text AS limit_id,
    coalesce(w.window_start, s.window_start) AS window_start,
    coalesce(w.held, 0)::bigint AS held, coalesce(s.held, 0)::bigint AS held_by_reservations,
    coalesce(w.used, 0)::bigint AS used,
    (coalesce(w.used_purged, 0) + coalesce(s.charged, 0))::bigint AS charged_to_reservations
FROM quotad.windows AS w
FULL JOIN settled AS s
    ON s.tenant_id = w.tenant_id AND s.limit_id = w.limit_id AND s.window_start = w.window_start
WHERE coalesce(w.held, 0) <> coalesce(s.held, 0)
    OR coalesce(w.used, 0) <> coalesce(w.used_purged, 0) + coalesce(s.charged, 0)
ORDER BY 1, 2, 3
"""
