"""Groups above keys, replaced secrets, policies, service tokens with their tenants, and the audit log."""

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = """
CREATE TABLE quotad.groups (
    tenant_id text NOT NULL REFERENCES quotad.tenants,
    group_id text NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    parent_group_id text CHECK (parent_group_id <> group_id),
    delete_time timestamptz,
    request_id text NOT NULL,
    etag text NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, group_id),
    FOREIGN KEY (tenant_id, parent_group_id) REFERENCES quotad.groups,
    UNIQUE (tenant_id, request_id)
);
CREATE INDEX groups_below ON quotad.groups (tenant_id, parent_group_id) WHERE delete_time IS NULL;

ALTER TABLE quotad.api_keys
    ADD group_id text,
    ADD on_quotad_unavailable text NOT NULL DEFAULT 'closed' CHECK (on_quotad_unavailable IN ('closed', 'open')),
    ADD allowance_requests bigint CHECK (allowance_requests > 0),
    ADD allowance_seconds bigint CHECK (allowance_seconds > 0),
    ADD on_unknown_price text NOT NULL DEFAULT 'refuse' CHECK (on_unknown_price IN ('refuse', 'default')),
    ADD default_input_price bigint CHECK (default_input_price >= 0),
    ADD default_output_price bigint CHECK (default_output_price >= 0),
    ADD FOREIGN KEY (tenant_id, group_id) REFERENCES quotad.groups,
    ADD CHECK ((on_quotad_unavailable = 'open') = (allowance_requests IS NOT NULL)
           AND (allowance_requests IS NULL) = (allowance_seconds IS NULL)),
    ADD CHECK ((on_unknown_price = 'default') = (default_input_price IS NOT NULL)
           AND (default_input_price IS NULL) = (default_output_price IS NULL));
CREATE INDEX api_keys_in_group ON quotad.api_keys (tenant_id, group_id) WHERE delete_time IS NULL;

-- A removed rule that comes back is the same rule, with its counters. Each has one owner, a key or a group.
ALTER TABLE quotad.limits
    ALTER api_key_id DROP NOT NULL,
    ADD group_id text,
    ADD FOREIGN KEY (tenant_id, group_id) REFERENCES quotad.groups,
    ADD CHECK (num_nonnulls(api_key_id, group_id) = 1),
    DROP CONSTRAINT limits_tenant_id_api_key_id_metric_window_kind_window_secon_key,
    ADD CONSTRAINT limits_identity UNIQUE NULLS NOT DISTINCT
        (tenant_id, api_key_id, group_id, metric, window_kind, window_seconds, time_zone, model_pattern);
CREATE INDEX limits_of_group ON quotad.limits (tenant_id, group_id) WHERE group_id IS NOT NULL;

-- What a rotation replaced still works until its expire_time, and then only to settle.
ALTER TABLE quotad.api_key_secrets
    ADD create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    ADD expire_time timestamptz,
    -- Of the rotation that made it, NULL for the secret that its key was made with.
    ADD request_id text,
    ADD UNIQUE (tenant_id, api_key_id, request_id);

ALTER TABLE quotad.service_tokens
    ADD token_id text NOT NULL DEFAULT 'tok_' || replace(gen_random_uuid()::text, '-', ''),
    ADD tenant_ids text[] NOT NULL DEFAULT '{}',
    ADD may_charge_unreserved boolean NOT NULL DEFAULT true,
    ADD request_id text,
    ADD revoke_time timestamptz,
    ADD UNIQUE (token_id),
    ADD UNIQUE (request_id);
ALTER TABLE quotad.service_tokens
    ALTER token_id DROP DEFAULT, ALTER tenant_ids DROP DEFAULT, ALTER may_charge_unreserved DROP DEFAULT;

-- Entries about service tokens, which belong to no tenant, have an empty tenant_id.
CREATE TABLE quotad.audit_log (
    tenant_id text NOT NULL,
    entry_id text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    token_name text NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    resource_kind text NOT NULL,
    resource_id text NOT NULL,
    before jsonb,
    after jsonb,
    PRIMARY KEY (tenant_id, entry_id)
);
CREATE INDEX audit_log_newest ON quotad.audit_log (tenant_id, create_time, entry_id);
CREATE INDEX audit_log_of_resource ON quotad.audit_log (tenant_id, resource_id, create_time, entry_id)
"""


def upgrade() -> None:
    for statement in STATEMENTS.split(";"):
        op.execute(statement)
