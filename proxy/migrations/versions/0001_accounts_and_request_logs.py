"""Accounts and request logs."""

from alembic import op

revision = "0001"
down_revision = None

ACCOUNTS = """
CREATE TABLE proxy.accounts (
    account_id uuid PRIMARY KEY,
    name text NOT NULL CONSTRAINT accounts_name_key UNIQUE,
    base_url text NOT NULL,
    kind text NOT NULL,
    sealed_credentials bytea NOT NULL,
    token_version bigint NOT NULL DEFAULT 1,
    token_url text NOT NULL DEFAULT '',
    client_id text NOT NULL DEFAULT '',
    chatgpt_account_id text NOT NULL DEFAULT '',
    usage_url text NOT NULL DEFAULT '',
    state text NOT NULL DEFAULT 'active',
    until timestamptz,
    state_reason text NOT NULL DEFAULT '',
    is_demo boolean NOT NULL DEFAULT false,
    create_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT accounts_name_check CHECK (length(name) BETWEEN 1 AND 128),
    CONSTRAINT accounts_kind_check CHECK (kind IN ('api_key', 'oauth')),
    CONSTRAINT accounts_state_check CHECK (
        state IN ('active', 'rate_limited', 'quota_exceeded', 'paused', 'reauth_required', 'deactivated')
    ),
    CONSTRAINT accounts_until_check CHECK ((until IS NOT NULL) = (state IN ('rate_limited', 'quota_exceeded'))),
    CONSTRAINT accounts_oauth_check CHECK (kind <> 'oauth' OR token_url <> '')
)
"""

ONE_DEMO = "CREATE UNIQUE INDEX accounts_one_demo ON proxy.accounts (is_demo) WHERE is_demo"

# Every writer is heard, the dashboard included, and only when its transaction commits.
NOTIFY_FUNCTION = """
CREATE FUNCTION proxy.notify_accounts_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('proxy_accounts', '');
    RETURN NULL;
END
$$
"""

NOTIFY_TRIGGER = """
CREATE TRIGGER accounts_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON proxy.accounts
    FOR EACH STATEMENT EXECUTE FUNCTION proxy.notify_accounts_v1()
"""

# search_text is lower case already: matching it costs a tenth of matching the columns without regard to case.
REQUEST_LOGS = """
CREATE TABLE proxy.request_logs (
    request_log_id uuid PRIMARY KEY,
    request_id text NOT NULL,
    reservation_id text,
    tenant_id text,
    api_key_id text,
    api_key_name text,
    account_id text,
    account_name text,
    path text NOT NULL,
    model text NOT NULL,
    stream boolean NOT NULL,
    status text NOT NULL,
    http_status integer NOT NULL,
    error_code text,
    error_message text,
    input_tokens bigint,
    cached_input_tokens bigint,
    output_tokens bigint,
    reasoning_tokens bigint,
    total_tokens bigint,
    basis text,
    settlement text NOT NULL,
    attempts jsonb NOT NULL DEFAULT '[]',
    start_time timestamptz NOT NULL,
    first_byte_ms bigint,
    duration_ms bigint NOT NULL,
    client_address text,
    user_agent text,
    denial jsonb,
    search_text text NOT NULL GENERATED ALWAYS AS (
        lower(
            request_id
            || chr(31) || coalesce(reservation_id, ''::text)
            || chr(31) || coalesce(api_key_id, ''::text)
            || chr(31) || coalesce(api_key_name, ''::text)
            || chr(31) || coalesce(account_name, ''::text)
            || chr(31) || path
            || chr(31) || model
            || chr(31) || coalesce(error_code, ''::text)
            || chr(31) || coalesce(error_message, ''::text)
        )
    ) STORED,
    CONSTRAINT request_logs_status_check CHECK (status IN ('ok', 'rate_limit', 'quota', 'error', 'cancelled')),
    CONSTRAINT request_logs_basis_check CHECK (basis IN ('reported', 'estimated', 'reserved', 'none')),
    CONSTRAINT request_logs_settlement_check CHECK (settlement IN ('finalized', 'released', 'none', 'pending'))
)
"""

# One per structured filter, each ending in the order of the list, so that any page is read without a sort.
ORDERED_BY = ("", "account_id, ", "api_key_id, ", "model, ", "status, ")


def upgrade() -> None:
    for statement in (ACCOUNTS, ONE_DEMO, NOTIFY_FUNCTION, NOTIFY_TRIGGER, REQUEST_LOGS):
        op.execute(statement)
    for leading in ORDERED_BY:
        name = f"request_logs_{leading.replace(', ', '_')}start_time"
        op.execute(f"CREATE INDEX {name} ON proxy.request_logs ({leading}start_time DESC, request_log_id DESC)")
