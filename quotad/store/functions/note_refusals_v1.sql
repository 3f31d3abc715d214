-- Adds one recorder's counts, and its samples as long as there are fewer than ten; false where this flush, or a later
-- one, was added before. p_samples is an array of arrays, one for each count.
CREATE FUNCTION quotad.note_refusals_v1(
    p_tenant_id text, p_recorder_id uuid, p_sequence bigint, p_minutes timestamptz[], p_api_key_ids text[],
    p_limit_ids uuid[], p_enforcements text[], p_refused bigint[], p_samples jsonb
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO quotad.refusal_flushes AS f (tenant_id, recorder_id, sequence, flush_time)
    VALUES (p_tenant_id, p_recorder_id, p_sequence, clock_timestamp())
    ON CONFLICT (tenant_id, recorder_id) DO UPDATE SET sequence = excluded.sequence, flush_time = excluded.flush_time
        WHERE f.sequence < excluded.sequence;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- In the order of the key, so that two recorders cannot wait for each other.
    INSERT INTO quotad.refusals AS f (tenant_id, minute, api_key_id, limit_id, enforcement, refused, samples)
    SELECT p_tenant_id, n.minute, n.api_key_id, n.limit_id, n.enforcement, n.refused,
        ARRAY(SELECT jsonb_array_elements(p_samples -> (n.place - 1)::integer))
    FROM unnest(p_minutes, p_api_key_ids, p_limit_ids, p_enforcements, p_refused)
        WITH ORDINALITY AS n (minute, api_key_id, limit_id, enforcement, refused, place)
    ORDER BY n.minute, n.api_key_id, n.limit_id, n.enforcement
    ON CONFLICT (tenant_id, minute, api_key_id, limit_id, enforcement) DO UPDATE SET
        refused = f.refused + excluded.refused,
        samples = (f.samples || excluded.samples)[1:10];
    RETURN true;
END $$;
