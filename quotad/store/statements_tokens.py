"""Service tokens."""

# Edits take turns, readers do not wait.
LOCK_TOKENS = "LOCK TABLE quotad.service_tokens IN SHARE ROW EXCLUSIVE MODE"
# One that was revoked stays revoked.
PUT_TOKEN = """
INSERT INTO quotad.service_tokens (token_id, token_hash, name, role, tenant_ids, may_charge_unreserved)
VALUES ($1, $2, $3, $4, '{}', true)
ON CONFLICT (token_hash) DO UPDATE SET name = excluded.name, role = excluded.role
RETURNING revoke_time IS NULL
"""
DROP_OTHER_TOKENS = """
DELETE FROM quotad.service_tokens WHERE name = $1 AND token_hash <> $2 AND revoke_time IS NULL
"""
ACTIVE_TOKENS = """
SELECT token_hash, name, role, tenant_ids, may_charge_unreserved FROM quotad.service_tokens
WHERE revoke_time IS NULL
"""

TOKEN = "SELECT * FROM quotad.service_tokens WHERE token_id = $1"
TOKEN_BY_REQUEST = "SELECT * FROM quotad.service_tokens WHERE request_id = $1"
TOKEN_NAME_TAKEN = "SELECT EXISTS (SELECT FROM quotad.service_tokens WHERE name = $1 AND revoke_time IS NULL)"
INSERT_TOKEN = """
INSERT INTO quotad.service_tokens (token_id, token_hash, request_id, name, role, tenant_ids, may_charge_unreserved)
VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING *
"""
REVOKE_TOKEN = """
UPDATE quotad.service_tokens SET revoke_time = clock_timestamp() WHERE token_id = $1
RETURNING *
"""
LIST_TOKENS = """
SELECT * FROM quotad.service_tokens WHERE revoke_time IS NULL AND token_id > $1 ORDER BY token_id LIMIT $2
"""
