"""The statements behind what operators read: lists of limits and reservations, usage, refusals."""

# `rank` orders by the reset, never last, or by how full the current window is, the fullest first.
LIST_LIMITS = """
WITH listed AS (
    SELECT l.*, coalesce(k.name, g.name) AS owner_name, w.window_start, w.reset_time,
        coalesce(w.used, 0) AS used, coalesce(w.held, 0) AS held,
        CASE WHEN $3 = 'reset' THEN coalesce(extract(epoch FROM w.reset_time)::float8, 'infinity')
            WHEN l.max_value = 0 THEN -1
            ELSE -(coalesce(w.used + w.held, 0) / l.max_value::float8)
        END AS rank
    FROM quotad.limits AS l
    LEFT JOIN quotad.api_keys AS k
        ON k.tenant_id = l.tenant_id AND k.api_key_id = l.api_key_id AND k.delete_time IS NULL
    LEFT JOIN quotad.groups AS g ON g.tenant_id = l.tenant_id AND g.group_id = l.group_id AND g.delete_time IS NULL
    LEFT JOIN LATERAL (
        SELECT c.window_start, c.reset_time, c.used, c.held FROM quotad.windows AS c
        WHERE c.tenant_id = l.tenant_id AND c.limit_id = l.limit_id AND c.window_start <= statement_timestamp()
            AND (c.reset_time IS NULL OR c.reset_time > statement_timestamp())
        ORDER BY c.window_start DESC LIMIT 1
    ) AS w ON true
    WHERE l.tenant_id = $1 AND l.remove_time IS NULL AND coalesce(k.name, g.name) IS NOT NULL
        AND ($2 = '' OR coalesce(l.api_key_id, l.group_id) = $2)
)
SELECT *, statement_timestamp() AS now FROM listed
WHERE (rank, limit_id) > ($4::float8, $5::uuid)
ORDER BY rank, limit_id LIMIT $6
"""

# Open and not lapsed: few enough to be sorted.
LIST_RESERVED = """
SELECT r.* FROM quotad.reservations AS r LEFT JOIN quotad.lease_clock AS c ON true
WHERE r.tenant_id = $1 AND r.state = 'reserved' AND ($2 = '' OR r.api_key_id = $2)
    AND r.create_time <= statement_timestamp() - $3::interval
    AND greatest(r.expire_time, c.lease_floor) > statement_timestamp()
    AND (r.create_time, r.reservation_id) > ($4, $5)
ORDER BY r.create_time, r.reservation_id LIMIT $6
"""
# The settled ones may be millions, and only their time is indexed: a page looks at a slice of them. The last row of
# a full slice is in the answer even where it is not wanted, so that the next page can begin behind it.
LIST_SETTLED = """
WITH slice AS (
    SELECT r.*, row_number() OVER (ORDER BY r.settle_time, r.reservation_id) AS place
    FROM quotad.reservations AS r
    WHERE r.tenant_id = $1 AND r.settle_time >= $5 AND (r.settle_time, r.reservation_id) > ($5, $6)
    ORDER BY r.settle_time, r.reservation_id LIMIT $8
), judged AS (
    SELECT s.*, s.state = $2 AND ($3 = '' OR s.api_key_id = $3)
        AND s.create_time <= statement_timestamp() - $4::interval AS wanted
    FROM slice AS s
)
SELECT * FROM judged WHERE wanted OR place = $8 ORDER BY settle_time, reservation_id LIMIT $7
"""
# Expired, and lapsed whether or not it was swept.
LIST_EXPIRED = """
WITH slice AS (
    SELECT e.*, row_number() OVER (ORDER BY e.expire_time, e.reservation_id) AS place FROM (
        (SELECT x.* FROM quotad.reservations AS x
         WHERE x.tenant_id = $1 AND x.state = 'expired' AND x.expire_time >= $4
            AND (x.expire_time, x.reservation_id) > ($4, $5)
         ORDER BY x.expire_time, x.reservation_id LIMIT $7)
        UNION ALL
        (SELECT o.* FROM quotad.reservations AS o LEFT JOIN quotad.lease_clock AS c ON true
         WHERE o.tenant_id = $1 AND o.state = 'reserved' AND o.expire_time BETWEEN $4 AND statement_timestamp()
            AND greatest(o.expire_time, c.lease_floor) <= statement_timestamp()
            AND (o.expire_time, o.reservation_id) > ($4, $5)
         ORDER BY o.expire_time, o.reservation_id LIMIT $7)
    ) AS e
    ORDER BY e.expire_time, e.reservation_id LIMIT $7
), judged AS (
    SELECT s.*, ($2 = '' OR s.api_key_id = $2) AND s.create_time <= statement_timestamp() - $3::interval AS wanted
    FROM slice AS s
)
SELECT * FROM judged WHERE wanted OR place = $7 ORDER BY expire_time, reservation_id LIMIT $6
"""
NOTE_FORCED = """
UPDATE quotad.reservations SET forced_reason = $3 WHERE tenant_id = $1 AND reservation_id = $2 AND state = 'expired'
"""

# The mark and the totals behind it move together: in one snapshot each settled row is on one side of the mark.
USAGE = """
WITH counted AS (
    SELECT t.hour, t.api_key_id, t.model, t.metric, t.amount
    FROM quotad.usage_totals AS t
    WHERE t.tenant_id = $1 AND t.hour >= $2 AND t.hour < $3
    UNION ALL
    SELECT date_bin('1 hour', r.settle_time, '1970-01-01 00:00:00+00'), r.api_key_id, r.model, a.key, a.value::bigint
    FROM quotad.reservations AS r CROSS JOIN LATERAL jsonb_each_text(r.actual) AS a
    WHERE r.tenant_id = $1 AND r.state = 'finalized' AND a.value <> '0'
        AND r.settle_time >= $2 AND r.settle_time < $3 AND r.settle_time > coalesce(
            (SELECT m.rolled_up_to FROM quotad.usage_marks AS m WHERE m.tenant_id = $1), '-infinity')
)
SELECT c.hour, c.api_key_id, c.model, c.metric, least(sum(c.amount), 9223372036854775807)::bigint AS amount
FROM counted AS c
WHERE ($4 = '' OR c.api_key_id = $4) AND ($5 = '' OR c.model = $5) AND ($6 = '' OR c.metric = $6)
    AND (c.hour, c.api_key_id, c.model, c.metric) > ($7, $8, $9, $10)
GROUP BY c.hour, c.api_key_id, c.model, c.metric
ORDER BY c.hour, c.api_key_id, c.model, c.metric LIMIT $11
"""

NOTE_REFUSALS = """
SELECT quotad.note_refusals_v1(
    $1, $2::uuid, $3, $4::timestamptz[], $5::text[], $6::uuid[], $7::text[], $8::bigint[], $9::jsonb)
"""
REFUSALS = """
SELECT f.minute, f.api_key_id AS refused_key_id, f.enforcement AS refused_by, f.refused, f.samples, l.*,
    coalesce(k.name, g.name, '') AS owner_name
FROM quotad.refusals AS f
JOIN quotad.limits AS l ON l.tenant_id = f.tenant_id AND l.limit_id = f.limit_id
LEFT JOIN quotad.api_keys AS k ON k.tenant_id = l.tenant_id AND k.api_key_id = l.api_key_id
LEFT JOIN quotad.groups AS g ON g.tenant_id = l.tenant_id AND g.group_id = l.group_id
WHERE f.tenant_id = $1 AND f.minute >= $2 AND f.minute < $3
    AND ($4 = '' OR f.api_key_id = $4) AND ($5::uuid IS NULL OR f.limit_id = $5) AND ($6 = '' OR f.enforcement = $6)
    AND (f.minute, f.api_key_id, f.limit_id, f.enforcement) < ($7, $8, $9::uuid, $10)
ORDER BY f.minute DESC, f.api_key_id DESC, f.limit_id DESC, f.enforcement DESC LIMIT $11
"""
