-- Step two of the locked path: makes the window rows that are missing and takes all of them, in the order of limit and
-- window start. The clock is read after the locks; that moment decides.
CREATE FUNCTION quotad.lock_windows_v2(
    p_tenant_id text, p_limit_ids uuid[], p_window_starts timestamptz[], p_reset_times timestamptz[],
    OUT db_now timestamptz, OUT windows quotad.window_state_v1[]
) LANGUAGE plpgsql
-- As in apply_v2: rows come by their keys, whatever the planner believes of the tables' sizes.
SET enable_nestloop = off SET enable_hashjoin = on AS $$
BEGIN
    INSERT INTO quotad.windows (tenant_id, limit_id, window_start, reset_time)
    SELECT p_tenant_id, wanted.limit_id, wanted.window_start, wanted.reset_time
    FROM unnest(p_limit_ids, p_window_starts, p_reset_times) AS wanted (limit_id, window_start, reset_time)
    ORDER BY wanted.limit_id, wanted.window_start
    ON CONFLICT (tenant_id, limit_id, window_start) DO NOTHING;

    SELECT array_agg(ROW (locked.limit_id, locked.window_start, locked.reset_time, locked.held, locked.used,
                          l.max_value)::quotad.window_state_v1)
    INTO windows
    FROM (
        SELECT w.limit_id, w.window_start, w.reset_time, w.held, w.used
        FROM unnest(p_limit_ids, p_window_starts) AS wanted (limit_id, window_start)
        JOIN quotad.windows AS w
            ON w.tenant_id = p_tenant_id AND w.limit_id = ANY (p_limit_ids) AND w.window_start = ANY (p_window_starts)
            AND w.limit_id = wanted.limit_id AND w.window_start = wanted.window_start
        ORDER BY w.limit_id, w.window_start FOR UPDATE OF w
    ) AS locked
    JOIN quotad.limits AS l
        ON l.tenant_id = p_tenant_id AND l.limit_id = ANY (p_limit_ids) AND l.limit_id = locked.limit_id;

    db_now := clock_timestamp();
END $$;
