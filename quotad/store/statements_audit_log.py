"""Who changed what."""

NOTE = """
INSERT INTO quotad.audit_log (
    tenant_id, entry_id, token_name, actor, action, resource_kind, resource_id, before, after
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
AUDIT_ENTRY_TIME = """
SELECT create_time FROM quotad.audit_log WHERE tenant_id = ANY ($1::text[]) AND entry_id = $2
"""
AUDIT_ENTRIES = """
SELECT * FROM quotad.audit_log
WHERE tenant_id = $1 AND (create_time, entry_id) < ($2, $3)
    AND ($4 = '' OR resource_kind = $4)
ORDER BY create_time DESC, entry_id DESC LIMIT $5
"""
AUDIT_ENTRIES_OF_RESOURCE = """
SELECT * FROM quotad.audit_log
WHERE tenant_id = $1 AND (create_time, entry_id) < ($2, $3)
    AND ($4 = '' OR resource_kind = $4) AND resource_id = $6
ORDER BY create_time DESC, entry_id DESC LIMIT $5
"""
