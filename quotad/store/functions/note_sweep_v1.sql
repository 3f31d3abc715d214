-- Notes that a sweeper is at work. Whoever finds that nobody swept for p_outage_after raises the lease floor first, so
-- that an outage of the ledger expires no lease that its holder could not renew. A database that was never swept has
-- nothing to protect.
CREATE FUNCTION quotad.note_sweep_v1(p_outage_after interval, p_outage_grace interval)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO quotad.lease_clock AS c (singleton, last_sweep_time) VALUES (true, clock_timestamp())
    ON CONFLICT (singleton) DO UPDATE SET
        lease_floor = CASE
            WHEN c.last_sweep_time < clock_timestamp() - p_outage_after THEN clock_timestamp() + p_outage_grace
            ELSE c.lease_floor
        END,
        last_sweep_time = greatest(c.last_sweep_time, clock_timestamp());
$$;
