-- Writes a plan, or raises and writes nothing. It decides nothing: it verifies every assumption that the plan was made
-- on, and answers what the windows hold then, and whether a refusal may rest on a hold whose lease has lapsed. Reservations first, then windows: the lock order. All lists come sorted
-- by their rows' keys, and the rows are taken in that order. A list of texts without arbitrary characters is one text with
-- separators, where an empty place is NULL: its caller makes it in a tenth of the time of an array.
--   QT001  the tenant's configuration has changed since it was read
--   QT002  a reservation does not stand as the plan found it
--   QT003  a window does not hold what the plan rests on
--   QT004  the clock is not where the plan took it to be
CREATE FUNCTION quotad.apply_v2(
    p_tenant_id text, p_config_version bigint,
    -- The clock of the plan, and the times between which it must be when everything is locked.
    p_now timestamptz, p_valid_from timestamptz, p_valid_until timestamptz,
    -- Rows to make. Nothing says the same as before: reserved as requested, no minimum, no label.
    p_new_count bigint, p_new_ids text, p_new_states text, p_new_keys text, p_new_models text[], p_new_requested text,
    p_new_minimums text, p_new_reserved text, p_new_limits text, p_new_metrics text, p_new_starts text,
    p_new_resets text, p_new_holds text, p_new_expires text, p_new_labels text,
    -- Rows to change, and how they must stand.
    p_moved_count bigint, p_moved_ids text, p_moved_from text, p_moved_from_expires text, p_moved_to text,
    p_moved_expires text, p_moved_actual text, p_moved_charges text, p_moved_over_by text, p_moved_late text,
    p_moved_unreserved text, p_moved_bases text, p_moved_labels text, p_moved_reasons text[],
    -- Ids that must be unknown.
    p_absent_ids text,
    -- Windows to change; a window without a row yet holds nothing.
    p_window_count bigint, p_limits text, p_starts text, p_resets text, p_unstored text, p_held_deltas text,
    p_used_deltas text, p_held text, p_used text, p_rooms text, p_maximums text, p_exact text,
    -- Windows that a refusal rests on, and what they must hold.
    p_read_count bigint, p_read_limits text, p_read_starts text, p_read_held text, p_read_used text,
    OUT db_now timestamptz, OUT held bigint[], OUT used bigint[], OUT has_lapsed boolean
) LANGUAGE plpgsql
-- Rows come by their keys, in index order, and meet the arrays in a hash. A nested loop is cheaper by a plan that is made
-- while the tables are young, and costs rows x batch when they are not: the plan is kept.
SET enable_nestloop = off SET enable_hashjoin = on AS $$
DECLARE
    separator CONSTANT text := E'\x1f';
    written bigint;
    ids text[];
    limit_ids uuid[];
    starts timestamptz[];
BEGIN
    -- NULL: the tenant has no configuration at all, and nothing but tombstones.
    PERFORM 1 FROM quotad.tenants AS t
    WHERE t.tenant_id = p_tenant_id AND t.config_version IS DISTINCT FROM p_config_version;
    IF FOUND THEN
        RAISE EXCEPTION 'the configuration has changed' USING ERRCODE = 'QT001';
    END IF;

    IF p_new_count > 0 THEN
        INSERT INTO quotad.reservations AS r (
            tenant_id, reservation_id, state, api_key_id, model, requested, min_amounts, reserved, actual,
            hold_limit_ids, hold_metrics, hold_window_starts, hold_reset_times, hold_amounts, hold_charges, hold_over_by,
            create_time, expire_time, labels
        )
        SELECT p_tenant_id, n.id, n.state, n.key, n.model, n.requested::jsonb, n.minimums::jsonb, n.reserved::jsonb, NULL,
            n.limits::uuid[], n.metrics::text[], n.starts::timestamptz[], n.resets::timestamptz[], n.holds::bigint[],
            NULL, NULL, p_now, n.expires::timestamptz, n.labels::jsonb
        FROM unnest(
            string_to_array(p_new_ids, separator), string_to_array(p_new_states, separator),
            string_to_array(p_new_keys, separator, ''), p_new_models, string_to_array(p_new_requested, separator),
            string_to_array(p_new_minimums, separator, ''), string_to_array(p_new_reserved, separator, ''),
            string_to_array(p_new_limits, separator), string_to_array(p_new_metrics, separator),
            string_to_array(p_new_starts, separator), string_to_array(p_new_resets, separator),
            string_to_array(p_new_holds, separator), string_to_array(p_new_expires, separator),
            string_to_array(p_new_labels, separator, '')
        ) AS n (id, state, key, model, requested, minimums, reserved, limits, metrics, starts, resets, holds, expires,
                labels)
        ON CONFLICT (tenant_id, reservation_id) DO UPDATE SET
            state = excluded.state, api_key_id = excluded.api_key_id, model = excluded.model,
            requested = excluded.requested, min_amounts = excluded.min_amounts, reserved = excluded.reserved,
            actual = NULL, hold_limit_ids = excluded.hold_limit_ids, hold_metrics = excluded.hold_metrics,
            hold_window_starts = excluded.hold_window_starts, hold_reset_times = excluded.hold_reset_times,
            hold_amounts = excluded.hold_amounts, hold_charges = NULL, hold_over_by = NULL,
            create_time = excluded.create_time, expire_time = excluded.expire_time, labels = excluded.labels
        WHERE r.state = 'pending';
        GET DIAGNOSTICS written = ROW_COUNT;
        IF written <> p_new_count THEN
            RAISE EXCEPTION 'a reservation exists' USING ERRCODE = 'QT002';
        END IF;
    END IF;

    IF p_absent_ids <> '' THEN
        -- Before the windows are verified: whoever expires a hold after this look changes a window that a refusal rests on.
        db_now := clock_timestamp();
        has_lapsed := EXISTS (
            SELECT FROM quotad.reservations AS r
            WHERE r.tenant_id = p_tenant_id AND r.state = 'reserved' AND r.expire_time <= db_now
        );
        ids := string_to_array(p_absent_ids, separator);
        PERFORM 1 FROM quotad.reservations AS r
        WHERE r.tenant_id = p_tenant_id AND r.reservation_id = ANY (ids) AND r.state <> 'pending';
        IF FOUND THEN
            RAISE EXCEPTION 'a reservation exists' USING ERRCODE = 'QT002';
        END IF;
    END IF;

    IF p_moved_count > 0 THEN
        ids := string_to_array(p_moved_ids, separator);
        UPDATE quotad.reservations AS r SET
            state = n.state, expire_time = n.expires::timestamptz, actual = n.actual::jsonb, hold_charges = n.charges::bigint[],
            hold_over_by = n.over_by::bigint[], late = n.late::boolean, unreserved = n.unreserved::boolean, basis = n.basis,
            settle_time = CASE WHEN n.state IN ('finalized', 'released') THEN p_now END,
            labels = coalesce(n.labels::jsonb, r.labels), reason = n.reason
        FROM unnest(
            ids, string_to_array(p_moved_from, separator), string_to_array(p_moved_from_expires, separator),
            string_to_array(p_moved_to, separator), string_to_array(p_moved_expires, separator),
            string_to_array(p_moved_actual, separator, ''), string_to_array(p_moved_charges, separator, ''),
            string_to_array(p_moved_over_by, separator, ''), string_to_array(p_moved_late, separator),
            string_to_array(p_moved_unreserved, separator), string_to_array(p_moved_bases, separator, ''),
            string_to_array(p_moved_labels, separator, ''), p_moved_reasons
        ) AS n (id, found_state, found_expires, state, expires, actual, charges, over_by, late, unreserved, basis,
                labels, reason)
        WHERE r.tenant_id = p_tenant_id AND r.reservation_id = ANY (ids)
            AND r.reservation_id = n.id AND r.state = n.found_state
            AND r.expire_time = n.found_expires::timestamptz;
        GET DIAGNOSTICS written = ROW_COUNT;
        IF written <> p_moved_count THEN
            RAISE EXCEPTION 'a reservation has moved' USING ERRCODE = 'QT002';
        END IF;
    END IF;

    IF p_window_count > 0 THEN
        limit_ids := p_limits;
        starts := p_starts;
        IF p_unstored LIKE '%t%' THEN
            INSERT INTO quotad.windows (tenant_id, limit_id, window_start, reset_time)
            SELECT p_tenant_id, n.limit_id, n.start, n.reset
            FROM unnest(limit_ids, starts, p_resets::timestamptz[], p_unstored::boolean[])
                AS n (limit_id, start, reset, is_unstored)
            WHERE n.is_unstored
            ON CONFLICT (tenant_id, limit_id, window_start) DO NOTHING;
        END IF;

        WITH after AS (
            UPDATE quotad.windows AS w SET held = w.held + n.held_delta, used = w.used + n.used_delta
            FROM unnest(
                limit_ids, starts, p_held_deltas::bigint[], p_used_deltas::bigint[], p_held::bigint[],
                p_used::bigint[], p_rooms::bigint[], p_maximums::bigint[], p_exact::boolean[]
            ) WITH ORDINALITY AS n (limit_id, start, held_delta, used_delta, held, used, room, maximum, is_exact, place)
            WHERE w.tenant_id = p_tenant_id AND w.limit_id = ANY (limit_ids) AND w.window_start = ANY (starts)
                AND w.limit_id = n.limit_id AND w.window_start = n.start
                AND (w.held = n.held AND w.used = n.used
                    OR NOT n.is_exact
                        AND (n.room = 0 OR w.held + w.used + n.room <= n.maximum)
                        AND (n.used_delta = 0 OR w.used + n.used_delta <= n.maximum))
            RETURNING n.place, w.held, w.used
        )
        SELECT array_agg(a.held ORDER BY a.place), array_agg(a.used ORDER BY a.place) INTO held, used FROM after AS a;
        IF coalesce(cardinality(held), 0) <> p_window_count THEN
            RAISE EXCEPTION 'a window has moved' USING ERRCODE = 'QT003';
        END IF;
    END IF;

    IF p_read_count > 0 THEN
        limit_ids := p_read_limits;
        starts := p_read_starts;
        PERFORM 1
        FROM unnest(limit_ids, starts, p_read_held::bigint[], p_read_used::bigint[]) AS n (limit_id, start, held, used)
        LEFT JOIN (
            SELECT r.limit_id, r.window_start, r.held, r.used FROM quotad.windows AS r
            WHERE r.tenant_id = p_tenant_id AND r.limit_id = ANY (limit_ids) AND r.window_start = ANY (starts)
        ) AS w ON w.limit_id = n.limit_id AND w.window_start = n.start
        WHERE coalesce(w.held, 0) <> n.held OR coalesce(w.used, 0) <> n.used;
        IF FOUND THEN
            RAISE EXCEPTION 'a window has moved' USING ERRCODE = 'QT003';
        END IF;
    END IF;

    db_now := clock_timestamp();
    IF db_now < p_valid_from OR db_now >= p_valid_until THEN
        RAISE EXCEPTION 'the clock has moved on' USING ERRCODE = 'QT004';
    END IF;
END $$;
