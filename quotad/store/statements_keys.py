"""Keys, their secrets, and the limits of keys and groups."""

# With the version under which it was read: after any edit of the tenant the secret is looked up again.
KEY_BY_SECRET = """
SELECT s.tenant_id, s.api_key_id, s.expire_time, t.config_version
FROM quotad.api_key_secrets AS s JOIN quotad.tenants AS t ON t.tenant_id = s.tenant_id
WHERE s.secret_hash = $1
"""
KEY_BY_ID = "SELECT tenant_id, api_key_id FROM quotad.api_key_tenants WHERE api_key_id = $1"
CONFIG_VERSION = "SELECT config_version FROM quotad.tenants WHERE tenant_id = $1"

# The version is read with the key, its groups and limits after it: if those changed in between, apply sees an old
# version.
KEYS = """
SELECT k.*, t.config_version,
    (
        SELECT max(s.expire_time) FROM quotad.api_key_secrets AS s
        WHERE s.tenant_id = k.tenant_id AND s.api_key_id = k.api_key_id
    ) AS old_secrets_expire_time
FROM quotad.api_keys AS k JOIN quotad.tenants AS t ON t.tenant_id = k.tenant_id
WHERE k.tenant_id = $1 AND k.api_key_id = ANY ($2::text[])
"""
LIMITS = """
SELECT * FROM quotad.limits
WHERE tenant_id = $1 AND api_key_id = ANY ($2::text[]) AND remove_time IS NULL
UNION ALL
SELECT * FROM quotad.limits
WHERE tenant_id = $1 AND group_id = ANY ($3::text[]) AND group_id IS NOT NULL AND remove_time IS NULL
ORDER BY position, limit_id
"""

LOCK_TENANT = """
INSERT INTO quotad.tenants AS t (tenant_id) VALUES ($1)
ON CONFLICT (tenant_id) DO UPDATE SET config_version = t.config_version + 1
"""
KEY_BY_REQUEST = "SELECT api_key_id FROM quotad.api_keys WHERE tenant_id = $1 AND request_id = $2"
INSERT_KEY = """
INSERT INTO quotad.api_keys (
    tenant_id, api_key_id, request_id, secret_prefix, name, disabled, expire_time, allowed_models, group_id,
    on_missing_usage, default_output_tokens, on_quotad_unavailable, allowance_requests, allowance_seconds,
    on_unknown_price, default_input_price, default_output_price, etag, create_time, update_time
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
    clock_timestamp(), clock_timestamp()
)
"""
INSERT_KEY_TENANT = "INSERT INTO quotad.api_key_tenants (api_key_id, tenant_id) VALUES ($1, $2)"
UPDATE_KEY = """
UPDATE quotad.api_keys SET
    name = $3, disabled = $4, expire_time = $5, allowed_models = $6, group_id = $7,
    on_missing_usage = $8, default_output_tokens = $9, on_quotad_unavailable = $10, allowance_requests = $11,
    allowance_seconds = $12, on_unknown_price = $13, default_input_price = $14, default_output_price = $15,
    etag = $16, update_time = clock_timestamp()
WHERE tenant_id = $1 AND api_key_id = $2
"""
DELETE_KEY = """
UPDATE quotad.api_keys SET delete_time = clock_timestamp(), update_time = clock_timestamp(), etag = $3
WHERE tenant_id = $1 AND api_key_id = $2
"""
LIST_KEYS = """
SELECT api_key_id FROM quotad.api_keys
WHERE tenant_id = $1 AND delete_time IS NULL AND api_key_id > $2 AND ($3 = '' OR name = $3)
    AND ($4 = '' OR group_id = $4)
ORDER BY api_key_id LIMIT $5
"""

INSERT_SECRET = """
INSERT INTO quotad.api_key_secrets (secret_hash, tenant_id, api_key_id, request_id) VALUES ($1, $2, $3, $4)
"""
ROTATION_BY_REQUEST = """
SELECT EXISTS (
    SELECT FROM quotad.api_key_secrets WHERE tenant_id = $1 AND api_key_id = $2 AND request_id = $3
)
"""
# An earlier rotation's end is never put off.
RETIRE_SECRETS = """
UPDATE quotad.api_key_secrets SET expire_time = least(expire_time, clock_timestamp() + $3::interval)
WHERE tenant_id = $1 AND api_key_id = $2
"""
# Nothing that was reserved with them can still be settled.
DROP_OLD_SECRETS = """
DELETE FROM quotad.api_key_secrets
WHERE tenant_id = $1 AND api_key_id = $2 AND expire_time < clock_timestamp() - $3::interval
"""
SET_SECRET_PREFIX = """
UPDATE quotad.api_keys SET secret_prefix = $3, etag = $4, update_time = clock_timestamp()
WHERE tenant_id = $1 AND api_key_id = $2
"""

REMOVE_LIMITS = """
UPDATE quotad.limits SET remove_time = clock_timestamp()
WHERE tenant_id = $1 AND (api_key_id = $2 OR group_id = $3) AND remove_time IS NULL
"""
# A rule that stays, or comes back, keeps its id, its creation time and so its windows.
PUT_LIMIT = """
INSERT INTO quotad.limits (
    tenant_id, limit_id, api_key_id, group_id, metric, window_kind, window_seconds, time_zone, model_pattern,
    max_value, enforcement, position, create_time
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, clock_timestamp())
ON CONFLICT ON CONSTRAINT limits_identity DO UPDATE SET
    max_value = excluded.max_value, enforcement = excluded.enforcement, position = excluded.position,
    remove_time = NULL
"""
