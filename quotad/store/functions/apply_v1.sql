-- Writes a plan, or raises and writes nothing. It decides nothing: it verifies every assumption that the plan was made
-- on. Reservations first, then windows: the lock order.
--   QT001  the tenant's configuration has changed since it was read
--   QT002  a reservation is not in the state that the plan found it in
--   QT003  a window does not hold what the plan found in it
CREATE FUNCTION quotad.apply_v1(
    p_tenant_id text, p_config_version bigint,
    p_reservations quotad.reservation_write_v1[], p_windows quotad.window_write_v1[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    written bigint;
BEGIN
    IF p_config_version IS NOT NULL THEN
        PERFORM 1 FROM quotad.tenants WHERE tenant_id = p_tenant_id AND config_version = p_config_version;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the configuration has changed' USING ERRCODE = 'QT001';
        END IF;
    END IF;

    WITH new_rows AS (
        INSERT INTO quotad.reservations AS r
        SELECT p_tenant_id, n.reservation_id, n.state, n.api_key_id, n.model, n.requested, n.min_amounts, n.reserved,
               n.actual, n.hold_limit_ids, n.hold_metrics, n.hold_window_starts, n.hold_reset_times, n.hold_amounts,
               n.hold_charges, n.hold_over_by, n.create_time, n.expire_time, n.settle_time, n.late, n.unreserved,
               n.basis, n.labels, n.reason
        FROM unnest(p_reservations) AS n
        WHERE n.expected_state IS NULL
        ORDER BY n.reservation_id
        ON CONFLICT (tenant_id, reservation_id) DO UPDATE SET
            state = excluded.state, api_key_id = excluded.api_key_id, model = excluded.model,
            requested = excluded.requested, min_amounts = excluded.min_amounts, reserved = excluded.reserved,
            actual = excluded.actual, hold_limit_ids = excluded.hold_limit_ids,
            hold_metrics = excluded.hold_metrics, hold_window_starts = excluded.hold_window_starts,
            hold_reset_times = excluded.hold_reset_times, hold_amounts = excluded.hold_amounts,
            hold_charges = excluded.hold_charges, hold_over_by = excluded.hold_over_by,
            create_time = excluded.create_time, expire_time = excluded.expire_time,
            settle_time = excluded.settle_time, late = excluded.late, unreserved = excluded.unreserved,
            basis = excluded.basis, labels = excluded.labels, reason = excluded.reason
        WHERE r.state = 'pending'
        RETURNING 1
    ), moved_rows AS (
        UPDATE quotad.reservations AS r SET
            state = n.state, actual = n.actual, hold_charges = n.hold_charges, hold_over_by = n.hold_over_by,
            expire_time = n.expire_time, settle_time = n.settle_time, late = n.late, basis = n.basis,
            labels = n.labels, reason = n.reason
        FROM unnest(p_reservations) AS n
        WHERE n.expected_state IS NOT NULL AND r.tenant_id = p_tenant_id
            AND r.reservation_id = n.reservation_id AND r.state = n.expected_state
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM new_rows) + (SELECT count(*) FROM moved_rows) INTO written;
    IF written <> cardinality(p_reservations) THEN
        RAISE EXCEPTION 'a reservation has moved' USING ERRCODE = 'QT002';
    END IF;

    UPDATE quotad.windows AS w SET held = w.held + n.held_delta, used = w.used + n.used_delta
    FROM unnest(p_windows) AS n
    WHERE w.tenant_id = p_tenant_id AND w.limit_id = n.limit_id AND w.window_start = n.window_start
        AND w.held = n.expected_held AND w.used = n.expected_used;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written <> cardinality(p_windows) THEN
        RAISE EXCEPTION 'a window has moved' USING ERRCODE = 'QT003';
    END IF;
END $$;
