"""The ledger: tenants, keys, limits, window rows, reservations, service tokens."""

from importlib.resources import files

from alembic import op

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE quotad.tenants (
    tenant_id text PRIMARY KEY,
    config_version bigint NOT NULL DEFAULT 1,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE quotad.api_keys (
    tenant_id text NOT NULL REFERENCES quotad.tenants,
    api_key_id text NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    secret_prefix text NOT NULL,
    disabled boolean NOT NULL,
    expire_time timestamptz,
    delete_time timestamptz,
    allowed_models text[] NOT NULL,
    on_missing_usage text NOT NULL CHECK (on_missing_usage IN ('release', 'estimate', 'reserved')),
    default_output_tokens bigint NOT NULL CHECK (default_output_tokens >= 0),
    request_id text NOT NULL,
    etag text NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, api_key_id),
    UNIQUE (tenant_id, request_id)
);

-- The only way from a secret, or from a key's id, to its tenant.
CREATE TABLE quotad.api_key_secrets (
    secret_hash bytea PRIMARY KEY CHECK (length(secret_hash) = 32),
    tenant_id text NOT NULL,
    api_key_id text NOT NULL
);
CREATE TABLE quotad.api_key_tenants (
    api_key_id text PRIMARY KEY,
    tenant_id text NOT NULL
);

CREATE TABLE quotad.limits (
    tenant_id text NOT NULL,
    limit_id uuid NOT NULL,
    api_key_id text NOT NULL,
    metric text NOT NULL CHECK (metric ~ '^[a-z][a-z0-9_]{0,62}$'),
    window_kind text NOT NULL
        CHECK (window_kind IN ('minute', 'hour', 'day', 'week', 'month', 'fixed', 'lifetime')),
    window_seconds bigint NOT NULL CHECK ((window_seconds > 0) = (window_kind = 'fixed')),
    time_zone text NOT NULL,
    model_pattern text NOT NULL,
    max_value bigint NOT NULL CHECK (max_value BETWEEN 0 AND 1000000000000000),
    enforcement text NOT NULL CHECK (enforcement IN ('enforce', 'shadow')),
    position integer NOT NULL,
    create_time timestamptz NOT NULL,
    remove_time timestamptz,
    PRIMARY KEY (tenant_id, limit_id),
    FOREIGN KEY (tenant_id, api_key_id) REFERENCES quotad.api_keys,
    -- A removed rule that comes back is the same rule, with its counters.
    UNIQUE (tenant_id, api_key_id, metric, window_kind, window_seconds, time_zone, model_pattern),
    CHECK (metric <> 'concurrency' OR window_kind = 'lifetime')
);

-- Half empty pages: nearly every update of a window row then stays on its page and touches no index.
CREATE TABLE quotad.windows (
    tenant_id text NOT NULL,
    limit_id uuid NOT NULL,
    window_start timestamptz NOT NULL,
    reset_time timestamptz,
    held bigint NOT NULL DEFAULT 0 CHECK (held >= 0),
    used bigint NOT NULL DEFAULT 0 CHECK (used >= used_purged),
    used_purged bigint NOT NULL DEFAULT 0 CHECK (used_purged >= 0),
    PRIMARY KEY (tenant_id, limit_id, window_start),
    FOREIGN KEY (tenant_id, limit_id) REFERENCES quotad.limits
) WITH (fillfactor = 50);

-- The holds are arrays of equal length, one place per limit: a table of their own costs half as much again per request.
CREATE TABLE quotad.reservations (
    tenant_id text NOT NULL,
    reservation_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'reserved', 'finalized', 'released', 'expired')),
    -- NULL in a tombstone: a Release that came before its Reserve.
    api_key_id text,
    model text NOT NULL DEFAULT '',
    requested jsonb NOT NULL DEFAULT '{}',
    min_amounts jsonb NOT NULL DEFAULT '{}',
    reserved jsonb NOT NULL DEFAULT '{}',
    actual jsonb NOT NULL DEFAULT '{}',
    hold_limit_ids uuid[] NOT NULL DEFAULT '{}',
    hold_metrics text[] NOT NULL DEFAULT '{}',
    hold_window_starts timestamptz[] NOT NULL DEFAULT '{}',
    hold_reset_times timestamptz[] NOT NULL DEFAULT '{}',
    hold_amounts bigint[] NOT NULL DEFAULT '{}' CHECK (0 <= ALL (hold_amounts)),
    hold_charges bigint[] NOT NULL DEFAULT '{}' CHECK (0 <= ALL (hold_charges)),
    hold_over_by bigint[] NOT NULL DEFAULT '{}',
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    expire_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    settle_time timestamptz,
    late boolean NOT NULL DEFAULT false,
    unreserved boolean NOT NULL DEFAULT false,
    basis text CHECK (basis IN ('reported', 'estimated', 'reserved', 'none')),
    labels jsonb NOT NULL DEFAULT '{}',
    reason text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, reservation_id),
    CHECK ((settle_time IS NOT NULL) = (state IN ('finalized', 'released'))),
    CHECK (state IN ('pending', 'released') OR api_key_id IS NOT NULL),
    CHECK (cardinality(hold_limit_ids) = cardinality(hold_metrics)
       AND cardinality(hold_limit_ids) = cardinality(hold_window_starts)
       AND cardinality(hold_limit_ids) = cardinality(hold_reset_times)
       AND cardinality(hold_limit_ids) = cardinality(hold_amounts)
       AND cardinality(hold_limit_ids) = cardinality(hold_charges)
       AND cardinality(hold_limit_ids) = cardinality(hold_over_by))
) WITH (fillfactor = 70);
CREATE INDEX reservations_open ON quotad.reservations (tenant_id, expire_time) WHERE state = 'reserved';

CREATE TABLE quotad.lease_clock (
    singleton boolean PRIMARY KEY CHECK (singleton),
    last_sweep_time timestamptz NOT NULL,
    lease_floor timestamptz
);

CREATE TABLE quotad.service_tokens (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('data', 'admin')),
    create_time timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TYPE quotad.window_state_v1 AS (
    limit_id uuid, window_start timestamptz, reset_time timestamptz, held bigint, used bigint, max_value bigint
);
CREATE TYPE quotad.window_write_v1 AS (
    limit_id uuid, window_start timestamptz, held_delta bigint, used_delta bigint,
    expected_held bigint, expected_used bigint
);
CREATE TYPE quotad.reservation_write_v1 AS (
    reservation_id text, expected_state text, state text, api_key_id text, model text,
    requested jsonb, min_amounts jsonb, reserved jsonb, actual jsonb,
    hold_limit_ids uuid[], hold_metrics text[], hold_window_starts timestamptz[], hold_reset_times timestamptz[],
    hold_amounts bigint[], hold_charges bigint[], hold_over_by bigint[],
    create_time timestamptz, expire_time timestamptz, settle_time timestamptz,
    late boolean, unreserved boolean, basis text, labels jsonb, reason text
)
"""

FUNCTIONS = ("lock_reservations_v1", "lock_windows_v1", "apply_v1", "note_sweep_v1")


def upgrade() -> None:
    for statement in TABLES.split(";"):
        op.execute(statement)
    for name in FUNCTIONS:
        op.execute(files("quotad.store.functions").joinpath(f"{name}.sql").read_text("utf-8"))
