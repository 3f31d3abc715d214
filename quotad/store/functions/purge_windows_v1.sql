-- Deletes one batch of the tenant's window rows that ended before the horizon and to which nothing refers; the number
-- deleted. What still refers to a window:
--   an open reservation that holds in it: `held` says so; one that holds 0 was made before the window's end, and
--       no lease lasts longer than p_lease_max
--   an expired one, which may still be charged: it was made before the window's end
--   a finalized one, until it is purged: `used_purged` says so
CREATE FUNCTION quotad.purge_windows_v1(p_tenant_id text, p_horizon interval, p_lease_max interval, p_batch integer)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    due timestamptz := clock_timestamp() - p_horizon;
    deleted bigint;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    due := least(
        due,
        (SELECT min(r.expire_time) - p_lease_max FROM quotad.reservations AS r
         WHERE r.tenant_id = p_tenant_id AND r.state = 'reserved'),
        (SELECT min(r.create_time) FROM quotad.reservations AS r
         WHERE r.tenant_id = p_tenant_id AND r.state = 'expired')
    );
    DELETE FROM quotad.windows AS w
    WHERE w.tenant_id = p_tenant_id AND w.ctid = ANY (ARRAY(
        SELECT d.ctid FROM quotad.windows AS d
        WHERE d.tenant_id = p_tenant_id AND d.reset_time < due AND d.held = 0 AND d.used = d.used_purged
        ORDER BY d.reset_time LIMIT p_batch FOR UPDATE SKIP LOCKED
    ));
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END $$;
