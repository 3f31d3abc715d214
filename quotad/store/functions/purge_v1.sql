-- Deletes one batch of the tenant's reservations whose horizon has passed, and adds what they charged to their windows'
-- used_purged. Only settled rows that are in the usage totals are due. Rows that somebody holds are left for later:
-- whoever never waits for a reservation cannot close a circle of waiting, and so needs no order of ids. Windows come
-- last, in the order of limit and start, and are locked for the shortest time.
-- p_after is where the last batch ended: the index entries before it are dead, and are not read again.
CREATE FUNCTION quotad.purge_v1(
    p_tenant_id text, p_horizon interval, p_after timestamptz, p_batch integer,
    OUT purged bigint, OUT last_time timestamptz
) LANGUAGE plpgsql AS $$
DECLARE
    due timestamptz := clock_timestamp() - p_horizon;
    settled tid[];
    expired tid[];
    limit_ids uuid[];
    starts timestamptz[];
    charges bigint[];
BEGIN
    -- A crash takes back the rows and what was added for them together.
    PERFORM set_config('synchronous_commit', 'off', true);
    SELECT array_agg(d.ctid), max(d.settle_time) INTO settled, last_time FROM (
        SELECT r.ctid, r.settle_time FROM quotad.reservations AS r
        WHERE r.tenant_id = p_tenant_id AND r.settle_time >= p_after AND r.settle_time <= due
            AND r.settle_time <= (SELECT m.rolled_up_to FROM quotad.usage_marks AS m WHERE m.tenant_id = p_tenant_id)
        ORDER BY r.settle_time LIMIT p_batch FOR UPDATE SKIP LOCKED
    ) AS d;
    expired := ARRAY(
        SELECT r.ctid FROM quotad.reservations AS r
        WHERE r.tenant_id = p_tenant_id AND r.state = 'expired' AND r.expire_time <= due
        ORDER BY r.expire_time LIMIT p_batch - coalesce(cardinality(settled), 0) FOR UPDATE SKIP LOCKED
    );

    WITH gone AS (
        DELETE FROM quotad.reservations AS r WHERE r.tenant_id = p_tenant_id AND r.ctid = ANY (settled || expired)
        RETURNING r.state, r.hold_limit_ids, r.hold_window_starts, r.hold_charges
    ), charged AS (
        SELECT h.limit_id, h.window_start, sum(h.charge)::bigint AS charge
        FROM gone AS g
        CROSS JOIN LATERAL unnest(g.hold_limit_ids, g.hold_window_starts, g.hold_charges)
            AS h (limit_id, window_start, charge)
        WHERE g.state = 'finalized' AND h.charge > 0
        GROUP BY h.limit_id, h.window_start
    )
    SELECT (SELECT count(*) FROM gone), array_agg(c.limit_id ORDER BY c.limit_id, c.window_start),
        array_agg(c.window_start ORDER BY c.limit_id, c.window_start),
        array_agg(c.charge ORDER BY c.limit_id, c.window_start)
    INTO purged, limit_ids, starts, charges FROM charged AS c;

    -- A loop over the arrays that looks each row up by its key takes the rows in the order of the arrays.
    UPDATE quotad.windows AS w SET used_purged = w.used_purged + c.charge
    FROM unnest(limit_ids, starts, charges) AS c (limit_id, window_start, charge)
    WHERE w.tenant_id = p_tenant_id AND w.limit_id = c.limit_id AND w.window_start = c.window_start;
END $$;
