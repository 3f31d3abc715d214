"""The statements of the loops that keep the ledger tidy. Each list names only the tenants that have work."""

# A minimum is one look into an index; a condition over all tenants would read it whole.
LAPSED_TENANTS = """
SELECT t.tenant_id FROM quotad.tenants AS t
WHERE (SELECT min(r.expire_time) FROM quotad.reservations AS r
       WHERE r.tenant_id = t.tenant_id AND r.state = 'reserved') <= statement_timestamp()
ORDER BY t.tenant_id
"""
UNCOUNTED_TENANTS = """
SELECT t.tenant_id FROM quotad.tenants AS t LEFT JOIN quotad.usage_marks AS m ON m.tenant_id = t.tenant_id
WHERE (SELECT min(r.settle_time) FROM quotad.reservations AS r
       WHERE r.tenant_id = t.tenant_id AND r.settle_time > coalesce(m.rolled_up_to, '-infinity'))
    <= statement_timestamp() - $1::interval
ORDER BY t.tenant_id
"""
DUE_TENANTS = """
SELECT t.tenant_id FROM quotad.tenants AS t LEFT JOIN quotad.usage_marks AS m ON m.tenant_id = t.tenant_id
CROSS JOIN LATERAL (
    SELECT (SELECT min(r.settle_time) FROM quotad.reservations AS r
            WHERE r.tenant_id = t.tenant_id AND r.settle_time IS NOT NULL) AS settled,
        (SELECT min(r.expire_time) FROM quotad.reservations AS r
         WHERE r.tenant_id = t.tenant_id AND r.state = 'expired') AS expired
) AS oldest
WHERE oldest.expired <= statement_timestamp() - $1::interval
    OR (oldest.settled <= statement_timestamp() - $1::interval AND oldest.settled <= m.rolled_up_to)
ORDER BY t.tenant_id
"""
TOMBSTONE_TENANTS = """
SELECT t.tenant_id FROM quotad.tenants AS t
WHERE EXISTS (SELECT FROM quotad.reservations AS r
              WHERE r.tenant_id = t.tenant_id AND r.state = 'released' AND r.api_key_id IS NULL)
ORDER BY t.tenant_id
"""
ENDED_WINDOW_TENANTS = """
SELECT t.tenant_id FROM quotad.tenants AS t
WHERE (SELECT min(w.reset_time) FROM quotad.windows AS w
       WHERE w.tenant_id = t.tenant_id AND w.reset_time IS NOT NULL) < statement_timestamp() - $1::interval
ORDER BY t.tenant_id
"""
OLD_RECORD_TENANTS = """
SELECT t.tenant_id FROM quotad.tenants AS t
WHERE (SELECT min(u.hour) FROM quotad.usage_totals AS u WHERE u.tenant_id = t.tenant_id)
        < statement_timestamp() - $1::interval
    OR (SELECT min(f.minute) FROM quotad.refusals AS f WHERE f.tenant_id = t.tenant_id)
        < statement_timestamp() - $2::interval
ORDER BY t.tenant_id
"""

ROLL_UP = "SELECT quotad.roll_up_v1($1, $2, $3)"
PURGE = "SELECT * FROM quotad.purge_v1($1, $2, coalesce($3::timestamptz, '-infinity'), $4)"
PURGE_TOMBSTONES = "SELECT quotad.purge_tombstones_v1($1, $2, $3, $4)"
PURGE_WINDOWS = "SELECT quotad.purge_windows_v1($1, $2, $3, $4)"
PURGE_RECORDS = "SELECT quotad.purge_records_v1($1, $2, $3, $4)"

# Both lags in seconds: of the roll-up behind what is settled, of the purge behind the horizon.
LAGS = """
SELECT coalesce(extract(epoch FROM statement_timestamp() - min(lag.uncounted)), 0)::float8 AS roll_up,
    greatest(0, coalesce(extract(epoch FROM statement_timestamp() - $1::interval - min(lag.due)), 0))::float8 AS purge
FROM quotad.tenants AS t LEFT JOIN quotad.usage_marks AS m ON m.tenant_id = t.tenant_id
CROSS JOIN LATERAL (
    SELECT (SELECT min(r.settle_time) FROM quotad.reservations AS r
            WHERE r.tenant_id = t.tenant_id AND r.settle_time > coalesce(m.rolled_up_to, '-infinity')) AS uncounted,
        (SELECT min(r.settle_time) FROM quotad.reservations AS r
         WHERE r.tenant_id = t.tenant_id AND r.settle_time IS NOT NULL) AS due
) AS lag
"""
