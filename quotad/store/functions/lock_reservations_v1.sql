-- Step one of the locked path: takes the reservation rows, in the order of their ids, before any window row.
-- An id in p_created that has no row yet gets a 'pending' one, which no other transaction ever sees: apply_v2 turns it
-- into the reservation, or the transaction rolls back. So two calls with the same new id take turns here.
CREATE FUNCTION quotad.lock_reservations_v1(
    p_tenant_id text, p_ids text[], p_created text[], p_outage_after interval, p_outage_grace interval,
    OUT db_now timestamptz, OUT lease_floor timestamptz, OUT reservations quotad.reservations[]
) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO quotad.reservations (tenant_id, reservation_id, state)
    SELECT p_tenant_id, created.id, 'pending' FROM unnest(p_created) AS created (id) ORDER BY created.id
    ON CONFLICT (tenant_id, reservation_id) DO NOTHING;

    SELECT array_agg(locked) INTO reservations FROM (
        SELECT r FROM quotad.reservations AS r
        WHERE r.tenant_id = p_tenant_id AND r.reservation_id = ANY (p_ids)
        ORDER BY r.reservation_id FOR UPDATE
    ) AS rows (locked);

    db_now := clock_timestamp();
    -- Nobody has swept for a while: the ledger itself was away, and its clients get the time to renew.
    SELECT CASE WHEN c.last_sweep_time < db_now - p_outage_after THEN db_now + p_outage_grace ELSE c.lease_floor END
    INTO lease_floor FROM quotad.lease_clock AS c;
END $$;
