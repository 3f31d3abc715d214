-- Adds what was charged to the hourly totals: one batch of the tenant's settled reservations, in the order of their
-- settlement, from where the last batch ended. The mark moves in the same transaction, so that each row is counted once.
-- A second daemon finds the mark locked and leaves the tenant alone.
--
-- A row becomes visible at its commit, later than its settle_time says, and must not be passed over. So a moment is first
-- noted, and right after it a transaction id is taken; the moment is used only once all transactions with lower ids have
-- ended. Whoever has a lower id is then visible, or never will be. Whoever has a higher one took it after that moment, and
-- read the clock after its row locks, which need an id. p_margin is for settle_times that are older than their write: a
-- plan made before it was sent, a clock that a fail-over sets back.
CREATE FUNCTION quotad.roll_up_v1(p_tenant_id text, p_margin interval, p_batch integer)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    mark quotad.usage_marks;
    seen_time timestamptz := clock_timestamp();
    seen_xid xid8 := pg_current_xact_id();
    last_time timestamptz;
    taken bigint;
BEGIN
    -- A crash takes back the totals and the mark together.
    PERFORM set_config('synchronous_commit', 'off', true);
    INSERT INTO quotad.usage_marks (tenant_id)
    SELECT p_tenant_id WHERE NOT EXISTS (SELECT FROM quotad.usage_marks AS m WHERE m.tenant_id = p_tenant_id)
    ON CONFLICT (tenant_id) DO NOTHING;
    SELECT * INTO mark FROM quotad.usage_marks AS m WHERE m.tenant_id = p_tenant_id FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;

    -- An id that this server has not given yet was noted on another one, from which this database was restored.
    IF mark.pending_xid IS NULL OR mark.pending_xid > seen_xid THEN
        UPDATE quotad.usage_marks AS m SET pending_time = seen_time, pending_xid = seen_xid
        WHERE m.tenant_id = p_tenant_id;
        RETURN 0;
    END IF;
    IF mark.pending_xid > pg_snapshot_xmin(pg_current_snapshot()) THEN
        RETURN 0;
    END IF;

    WITH settled AS MATERIALIZED (
        SELECT r.settle_time, r.state, r.api_key_id, r.model, r.actual
        FROM quotad.reservations AS r
        WHERE r.tenant_id = p_tenant_id AND r.settle_time > mark.rolled_up_to
            AND r.settle_time <= mark.pending_time - p_margin
        ORDER BY r.settle_time
        FETCH FIRST (p_batch) ROWS WITH TIES
    ), totals AS (
        INSERT INTO quotad.usage_totals AS t (tenant_id, hour, api_key_id, model, metric, amount)
        SELECT p_tenant_id, date_bin('1 hour', s.settle_time, '1970-01-01 00:00:00+00'), s.api_key_id, s.model, a.key,
            least(sum(a.value::bigint), 9223372036854775807)::bigint
        FROM settled AS s CROSS JOIN LATERAL jsonb_each_text(s.actual) AS a
        WHERE s.state = 'finalized' AND a.value <> '0'
        GROUP BY 2, 3, 4, 5
        ON CONFLICT (tenant_id, hour, api_key_id, model, metric) DO UPDATE SET
            amount = least(t.amount::numeric + excluded.amount, 9223372036854775807)::bigint
    )
    SELECT count(*), max(s.settle_time) INTO taken, last_time FROM settled AS s;

    IF taken >= p_batch THEN
        UPDATE quotad.usage_marks AS m SET rolled_up_to = last_time WHERE m.tenant_id = p_tenant_id;
    ELSE
        UPDATE quotad.usage_marks AS m SET
            rolled_up_to = greatest(mark.rolled_up_to, mark.pending_time - p_margin),
            pending_time = seen_time, pending_xid = seen_xid
        WHERE m.tenant_id = p_tenant_id;
    END IF;
    RETURN taken;
END $$;
