"""What operators see of the ledger and how long it is kept: usage totals, refusals, and indexes for the purge."""

from importlib.resources import files

from alembic import op

revision = "0004"
down_revision = "0003"

TABLES = """
-- Whether an operator gave the hold back by force, and why.
ALTER TABLE quotad.reservations ADD COLUMN forced_reason text;

-- Each finds the rows that are due to be purged, oldest first, and holds a row once, from the moment it is settled or
-- expires: Reserve pays for neither.
CREATE INDEX reservations_settled ON quotad.reservations (tenant_id, settle_time) WHERE settle_time IS NOT NULL;
CREATE INDEX reservations_expired ON quotad.reservations (tenant_id, expire_time) WHERE state = 'expired';
-- A Release that came before its Reserve is kept for an hour only.
CREATE INDEX reservations_tombstones ON quotad.reservations (tenant_id, settle_time)
    WHERE state = 'released' AND api_key_id IS NULL;
-- Written when a window row is made, never when it counts.
CREATE INDEX windows_ended ON quotad.windows (tenant_id, reset_time) WHERE reset_time IS NOT NULL;

-- What was charged in an hour, by the time of settlement. A roll-up adds to the same rows again and again, which on
-- half empty pages costs a third.
CREATE TABLE quotad.usage_totals (
    tenant_id text NOT NULL,
    hour timestamptz NOT NULL,
    api_key_id text NOT NULL,
    model text NOT NULL,
    metric text NOT NULL,
    amount bigint NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (tenant_id, hour, api_key_id, model, metric)
) WITH (fillfactor = 50);
-- Up to where a tenant's settled reservations are in its totals; see roll_up_v1 for the other two.
CREATE TABLE quotad.usage_marks (
    tenant_id text PRIMARY KEY,
    rolled_up_to timestamptz NOT NULL DEFAULT '-infinity',
    pending_time timestamptz,
    pending_xid xid8
) WITH (fillfactor = 50);

CREATE TABLE quotad.refusals (
    tenant_id text NOT NULL,
    minute timestamptz NOT NULL,
    api_key_id text NOT NULL,
    limit_id uuid NOT NULL,
    enforcement text NOT NULL CHECK (enforcement IN ('enforce', 'shadow')),
    refused bigint NOT NULL CHECK (refused > 0),
    samples jsonb[] NOT NULL CHECK (cardinality(samples) <= 10),
    PRIMARY KEY (tenant_id, minute, api_key_id, limit_id, enforcement)
);
-- The last flush of each recorder, so that one whose answer was lost is not counted twice.
CREATE TABLE quotad.refusal_flushes (
    tenant_id text NOT NULL,
    recorder_id uuid NOT NULL,
    sequence bigint NOT NULL,
    flush_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, recorder_id)
)
"""

FUNCTIONS = (
    "roll_up_v1",
    "purge_v1",
    "purge_tombstones_v1",
    "purge_windows_v1",
    "purge_records_v1",
    "note_refusals_v1",
)


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    for name in FUNCTIONS:
        op.execute(files("quotad.store.functions").joinpath(f"{name}.sql").read_text("utf-8"))
