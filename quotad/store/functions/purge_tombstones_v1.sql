-- Deletes one batch of the tenant's tombstones that are too old or too many, oldest first; the number deleted.
CREATE FUNCTION quotad.purge_tombstones_v1(p_tenant_id text, p_keep interval, p_kept_max integer, p_batch integer)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    due timestamptz := clock_timestamp() - p_keep;
    deleted bigint;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    SELECT greatest(due, max(beyond.settle_time)) INTO due FROM (
        SELECT r.settle_time FROM quotad.reservations AS r
        WHERE r.tenant_id = p_tenant_id AND r.state = 'released' AND r.api_key_id IS NULL
            AND r.settle_time IS NOT NULL
        ORDER BY r.settle_time DESC OFFSET p_kept_max LIMIT 1
    ) AS beyond;
    DELETE FROM quotad.reservations AS r
    WHERE r.tenant_id = p_tenant_id AND r.ctid = ANY (ARRAY(
        SELECT d.ctid FROM quotad.reservations AS d
        WHERE d.tenant_id = p_tenant_id AND d.state = 'released' AND d.api_key_id IS NULL AND d.settle_time <= due
        ORDER BY d.settle_time LIMIT p_batch FOR UPDATE SKIP LOCKED
    ));
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END $$;
