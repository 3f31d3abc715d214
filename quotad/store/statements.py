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

# Oldest first, over the index of open reservations; none while the ledger comes back from an outage.
LAPSED = """
SELECT r.reservation_id
FROM quotad.reservations AS r LEFT JOIN quotad.lease_clock AS c ON true
WHERE r.tenant_id = $1 AND r.state = 'reserved' AND r.expire_time <= statement_timestamp()
    AND (c.lease_floor IS NULL OR c.lease_floor <= clock_timestamp())
    AND (c.last_sweep_time IS NULL OR c.last_sweep_time >= clock_timestamp() - $3::interval)
ORDER BY r.expire_time LIMIT $2
"""

RESERVATIONS = "SELECT * FROM quotad.reservations WHERE tenant_id = $1 AND reservation_id = ANY ($2::text[])"

IS_AMBIGUOUS = """
SELECT EXISTS (SELECT FROM quotad.tenants WHERE tenant_id <> $1)
    AND NOT EXISTS (SELECT FROM quotad.reservations WHERE tenant_id = $1 AND reservation_id = $2)
"""

# All windows of some limits that begin at one of some times: those that are asked for, and perhaps more.
WINDOWS = """
SELECT w.limit_id, w.window_start, w.reset_time, w.held, w.used, l.max_value
FROM quotad.windows AS w
JOIN quotad.limits AS l ON l.tenant_id = $1 AND l.limit_id = ANY ($2::uuid[]) AND l.limit_id = w.limit_id
WHERE w.tenant_id = $1 AND w.limit_id = ANY ($2::uuid[]) AND w.window_start = ANY ($3::timestamptz[])
"""
CLOCK = "SELECT clock_timestamp()"

AUDIT_WINDOWS = """
WITH settled AS (
    SELECT r.tenant_id, h.limit_id, h.window_start,
        sum(CASE WHEN r.state = 'reserved' THEN h.held ELSE 0 END) AS held,
        sum(CASE WHEN r.state = 'finalized' THEN h.charged ELSE 0 END) AS charged
    FROM quotad.reservations AS r
    CROSS JOIN LATERAL unnest(r.hold_limit_ids, r.hold_window_starts, r.hold_amounts, r.hold_charges)
        AS h (limit_id, window_start, held, charged)
    WHERE $1::text IS NULL OR r.tenant_id = $1
    GROUP BY r.tenant_id, h.limit_id, h.window_start
)
SELECT coalesce(w.tenant_id, s.tenant_id) AS tenant_id, coalesce(w.limit_id, s.limit_id)::text AS limit_id,
    coalesce(w.window_start, s.window_start) AS window_start,
    coalesce(w.held, 0)::bigint AS held, coalesce(s.held, 0)::bigint AS held_by_reservations,
    coalesce(w.used, 0)::bigint AS used,
    (coalesce(w.used_purged, 0) + coalesce(s.charged, 0))::bigint AS charged_to_reservations
FROM (SELECT * FROM quotad.windows WHERE $1::text IS NULL OR tenant_id = $1) AS w
FULL JOIN settled AS s
    ON s.tenant_id = w.tenant_id AND s.limit_id = w.limit_id AND s.window_start = w.window_start
WHERE coalesce(w.held, 0) <> coalesce(s.held, 0)
    OR coalesce(w.used, 0) <> coalesce(w.used_purged, 0) + coalesce(s.charged, 0)
ORDER BY 1, 2, 3 LIMIT $2
"""
