"""What `quotad doctor` and the start of a daemon ask the database about itself. Nothing here writes."""

SERVER = """
SELECT current_setting('server_version_num')::integer AS version_number, pg_is_in_recovery() AS is_standby,
    current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
    current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('synchronous_standby_names') AS synchronous_standby_names,
    (SELECT count(*) FROM pg_stat_replication) AS standbys
"""

HAS_VERSION = "SELECT to_regclass($1) IS NOT NULL"
VERSION_OF = {
    schema: f"SELECT version_num FROM {schema}.alembic_version"  # noqa: S608 - three names of ours
    for schema in ("quotad", "proxy", "dashboard")
}

TOKENS_BY_ROLE = "SELECT role, count(*) AS tokens FROM quotad.service_tokens GROUP BY role"

# Bounded: that there are any is the news, and a ledger that nobody swept may have millions.
OVERDUE = """
SELECT count(*) FROM (
    SELECT FROM quotad.reservations AS r LEFT JOIN quotad.lease_clock AS c ON true
    WHERE r.state = 'reserved' AND greatest(r.expire_time, c.lease_floor) < clock_timestamp() - $1::interval
    LIMIT $2
) AS overdue
"""
