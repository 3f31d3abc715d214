-- Deletes one batch each of the tenant's usage totals and refusals that are past their retention; the number deleted.
CREATE FUNCTION quotad.purge_records_v1(
    p_tenant_id text, p_usage_retention interval, p_refusal_retention interval, p_batch integer
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    usage_deleted bigint;
    refusals_deleted bigint;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    DELETE FROM quotad.usage_totals AS t
    WHERE t.tenant_id = p_tenant_id AND t.ctid = ANY (ARRAY(
        SELECT d.ctid FROM quotad.usage_totals AS d
        WHERE d.tenant_id = p_tenant_id AND d.hour < statement_timestamp() - p_usage_retention
        ORDER BY d.hour LIMIT p_batch FOR UPDATE SKIP LOCKED
    ));
    GET DIAGNOSTICS usage_deleted = ROW_COUNT;
    DELETE FROM quotad.refusals AS f
    WHERE f.tenant_id = p_tenant_id AND f.ctid = ANY (ARRAY(
        SELECT d.ctid FROM quotad.refusals AS d
        WHERE d.tenant_id = p_tenant_id AND d.minute < statement_timestamp() - p_refusal_retention
        ORDER BY d.minute LIMIT p_batch FOR UPDATE SKIP LOCKED
    ));
    GET DIAGNOSTICS refusals_deleted = ROW_COUNT;
    -- A recorder that has written nothing for the whole retention has ended.
    DELETE FROM quotad.refusal_flushes AS f
    WHERE f.tenant_id = p_tenant_id AND f.flush_time < statement_timestamp() - p_refusal_retention;
    RETURN usage_deleted + refusals_deleted;
END $$;
