-- The baseline's ledger: one function call per request, each its own transaction. It keeps what quotad keeps for such a
-- request: all limits or none, leases, repeats recognised by id and content, usage charged exactly once to the windows
-- that admitted it, late or not. The limits of a key are in its row, and the holds in the reservation's: the fewest
-- rows that such a design can touch. Reservations are locked before windows, and those in the order of their limits.
CREATE SCHEMA baseline;

CREATE TABLE baseline.api_keys (
    api_key_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    disabled boolean NOT NULL DEFAULT false,
    -- One place per limit, in ascending order of the ids.
    limit_ids bigint[] NOT NULL,
    metrics text[] NOT NULL,
    window_kinds text[] NOT NULL,
    max_values bigint[] NOT NULL
);

CREATE TABLE baseline.windows (
    tenant_id text NOT NULL,
    limit_id bigint NOT NULL,
    window_start timestamptz NOT NULL,
    held bigint NOT NULL DEFAULT 0 CHECK (held >= 0),
    used bigint NOT NULL DEFAULT 0 CHECK (used >= 0),
    PRIMARY KEY (tenant_id, limit_id, window_start)
) WITH (fillfactor = 50);

CREATE TABLE baseline.reservations (
    tenant_id text NOT NULL,
    reservation_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('reserved', 'finalized', 'expired')),
    api_key_id text NOT NULL,
    model text NOT NULL,
    limit_ids bigint[] NOT NULL,
    metrics text[] NOT NULL,
    window_starts timestamptz[] NOT NULL,
    holds bigint[] NOT NULL,
    charges bigint[] NOT NULL DEFAULT '{}',
    create_time timestamptz NOT NULL,
    expire_time timestamptz NOT NULL,
    settle_time timestamptz,
    late boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant_id, reservation_id)
) WITH (fillfactor = 70);
-- For lapsed holds. The functions that look an id up name the state by a variable: by a literal the planner might take
-- this index, which holds every open reservation, instead of the key.
CREATE INDEX reservations_open ON baseline.reservations (tenant_id, expire_time) WHERE state = 'reserved';

-- Outcomes: reserved, replayed, key unknown, reused, not open. Raises, and so writes nothing:
--   BL001  the key is disabled
--   BL002  a limit's metric was not given
--   BL003  it does not fit
CREATE FUNCTION baseline.reserve_v1(
    p_api_key_id text, p_reservation_id text, p_model text, p_metrics text[], p_amounts bigint[], p_lease interval,
    OUT outcome text, OUT reservation baseline.reservations
) LANGUAGE plpgsql AS $$
DECLARE
    key baseline.api_keys;
    now timestamptz := clock_timestamp();
    starts timestamptz[];
    holds bigint[];
BEGIN
    SELECT * INTO key FROM baseline.api_keys AS k WHERE k.api_key_id = p_api_key_id;
    IF NOT FOUND THEN
        outcome := 'key unknown';
        RETURN;
    END IF;
    FOR n IN 1 .. cardinality(key.limit_ids) LOOP
        starts[n] := CASE key.window_kinds[n]
            WHEN 'lifetime' THEN '-infinity' ELSE date_trunc(key.window_kinds[n], now, 'UTC') END;
        holds[n] := p_amounts[array_position(p_metrics, key.metrics[n])];
        IF holds[n] IS NULL THEN
            RAISE EXCEPTION 'amounts.%', key.metrics[n] USING ERRCODE = 'BL002';
        END IF;
    END LOOP;

    INSERT INTO baseline.reservations AS r (tenant_id, reservation_id, state, api_key_id, model, limit_ids, metrics,
                                            window_starts, holds, create_time, expire_time)
    VALUES (key.tenant_id, p_reservation_id, 'reserved', p_api_key_id, p_model, key.limit_ids, key.metrics,
            starts, holds, now, now + p_lease)
    ON CONFLICT DO NOTHING
    RETURNING * INTO reservation;
    IF NOT FOUND THEN
        SELECT * INTO reservation FROM baseline.reservations AS r
        WHERE r.tenant_id = key.tenant_id AND r.reservation_id = p_reservation_id;
        outcome := CASE
            WHEN (reservation.api_key_id, reservation.model, reservation.holds) IS DISTINCT FROM (p_api_key_id, p_model, holds)
                THEN 'reused'
            WHEN reservation.state = 'reserved' AND reservation.expire_time > clock_timestamp() THEN 'replayed'
            ELSE 'not open' END;
        RETURN;
    END IF;
    IF key.disabled THEN
        RAISE EXCEPTION 'this API key is disabled' USING ERRCODE = 'BL001';
    END IF;

    FOR n IN 1 .. cardinality(key.limit_ids) LOOP
        UPDATE baseline.windows AS w SET held = w.held + holds[n]
        WHERE w.tenant_id = key.tenant_id AND w.limit_id = key.limit_ids[n] AND w.window_start = starts[n]
            AND w.used + w.held + holds[n] <= key.max_values[n];
        CONTINUE WHEN FOUND;
        INSERT INTO baseline.windows (tenant_id, limit_id, window_start)
        VALUES (key.tenant_id, key.limit_ids[n], starts[n]) ON CONFLICT DO NOTHING;
        UPDATE baseline.windows AS w SET held = w.held + holds[n]
        WHERE w.tenant_id = key.tenant_id AND w.limit_id = key.limit_ids[n] AND w.window_start = starts[n]
            AND w.used + w.held + holds[n] <= key.max_values[n];
        IF NOT FOUND THEN
            RAISE EXCEPTION '% does not fit', key.metrics[n] USING ERRCODE = 'BL003';
        END IF;
    END LOOP;
    outcome := 'reserved';
END $$;

-- Outcomes: finalized, replayed, mismatch, unknown. An absent metric is charged as held.
CREATE FUNCTION baseline.finalize_v1(
    p_tenant_id text, p_reservation_id text, p_metrics text[], p_amounts bigint[],
    OUT outcome text, OUT reservation baseline.reservations
) LANGUAGE plpgsql AS $$
DECLARE
    open_state constant text := 'reserved';
    lapsed_state constant text := 'expired';
    was_held boolean := true;
    charged bigint[];
BEGIN
    UPDATE baseline.reservations AS r SET
        state = 'finalized', settle_time = clock_timestamp(), late = r.expire_time <= clock_timestamp(),
        charges = baseline.charges_v1(r.metrics, r.holds, p_metrics, p_amounts)
    WHERE r.tenant_id = p_tenant_id AND r.reservation_id = p_reservation_id AND r.state = open_state
    RETURNING * INTO reservation;
    IF NOT FOUND THEN
        was_held := false;
        UPDATE baseline.reservations AS r SET
            state = 'finalized', settle_time = clock_timestamp(), late = true,
            charges = baseline.charges_v1(r.metrics, r.holds, p_metrics, p_amounts)
        WHERE r.tenant_id = p_tenant_id AND r.reservation_id = p_reservation_id AND r.state = lapsed_state
        RETURNING * INTO reservation;
    END IF;
    IF NOT FOUND THEN
        SELECT * INTO reservation FROM baseline.reservations AS r
        WHERE r.tenant_id = p_tenant_id AND r.reservation_id = p_reservation_id;
        IF NOT FOUND THEN
            outcome := 'unknown';
            RETURN;
        END IF;
        charged := baseline.charges_v1(reservation.metrics, reservation.holds, p_metrics, p_amounts);
        outcome := CASE WHEN reservation.charges = charged THEN 'replayed' ELSE 'mismatch' END;
        RETURN;
    END IF;
    FOR n IN 1 .. cardinality(reservation.limit_ids) LOOP
        UPDATE baseline.windows AS w SET
            held = w.held - CASE WHEN was_held THEN reservation.holds[n] ELSE 0 END, used = w.used + reservation.charges[n]
        WHERE w.tenant_id = p_tenant_id AND w.limit_id = reservation.limit_ids[n]
            AND w.window_start = reservation.window_starts[n];
    END LOOP;
    outcome := 'finalized';
END $$;

CREATE FUNCTION baseline.charges_v1(p_held_metrics text[], p_holds bigint[], p_metrics text[], p_amounts bigint[])
RETURNS bigint[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    charges bigint[] := p_holds;
BEGIN
    FOR n IN 1 .. cardinality(p_held_metrics) LOOP
        charges[n] := coalesce(p_amounts[array_position(p_metrics, p_held_metrics[n])], p_holds[n]);
    END LOOP;
    RETURN charges;
END $$;

CREATE FUNCTION baseline.renew_v1(p_tenant_id text, p_reservation_ids text[], p_lease interval)
RETURNS SETOF baseline.reservations LANGUAGE plpgsql AS $$
DECLARE
    open_state constant text := 'reserved';
BEGIN
    RETURN QUERY UPDATE baseline.reservations AS r SET
        expire_time = greatest(r.expire_time, least(clock_timestamp() + p_lease, r.create_time + interval '1 day'))
    WHERE r.tenant_id = p_tenant_id AND r.reservation_id = ANY (p_reservation_ids) AND r.state = open_state
        AND r.expire_time > clock_timestamp()
    RETURNING r.*;
END $$;

-- Takes lapsed holds out of their windows; how many. Called when something would not fit, and then it is tried again.
CREATE FUNCTION baseline.expire_v1(p_tenant_id text, p_rows_max integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    moved text[];
    freed record;
BEGIN
    WITH lapsed AS (
        SELECT r.reservation_id FROM baseline.reservations AS r
        WHERE r.tenant_id = p_tenant_id AND r.state = 'reserved' AND r.expire_time <= clock_timestamp()
        ORDER BY r.expire_time LIMIT p_rows_max FOR UPDATE SKIP LOCKED
    ), expired AS (
        UPDATE baseline.reservations AS r SET state = 'expired' FROM lapsed
        WHERE r.tenant_id = p_tenant_id AND r.reservation_id = lapsed.reservation_id
        RETURNING r.reservation_id
    )
    SELECT array_agg(reservation_id) INTO moved FROM expired;
    FOR freed IN
        SELECT h.limit_id, h.window_start, sum(h.held)::bigint AS held
        FROM baseline.reservations AS r
        CROSS JOIN LATERAL unnest(r.limit_ids, r.window_starts, r.holds) AS h (limit_id, window_start, held)
        WHERE r.tenant_id = p_tenant_id AND r.reservation_id = ANY (moved)
        GROUP BY h.limit_id, h.window_start ORDER BY h.limit_id, h.window_start
    LOOP
        UPDATE baseline.windows AS w SET held = w.held - freed.held
        WHERE w.tenant_id = p_tenant_id AND w.limit_id = freed.limit_id AND w.window_start = freed.window_start;
    END LOOP;
    RETURN coalesce(cardinality(moved), 0);
END $$;
