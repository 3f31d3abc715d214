"""Usage windows and standings of accounts, and the operator's settings."""

from alembic import op

revision = "0002"
down_revision = "0001"

USAGE_SAMPLES = """
CREATE TABLE proxy.usage_samples (
    sample_id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES proxy.accounts ON DELETE CASCADE,
    usage_window text NOT NULL,
    used_percent double precision,
    window_minutes integer,
    reset_time timestamptz,
    has_credits boolean,
    is_unlimited boolean,
    balance numeric,
    sample_time timestamptz NOT NULL,
    source text NOT NULL,
    CONSTRAINT usage_samples_window_check CHECK (usage_window IN ('primary', 'secondary', 'credits')),
    CONSTRAINT usage_samples_used_check CHECK (
        CASE usage_window WHEN 'credits' THEN used_percent IS NULL ELSE used_percent >= 0 END IS TRUE
    ),
    CONSTRAINT usage_samples_credits_check CHECK (
        (usage_window = 'credits') = (has_credits IS NOT NULL) AND (has_credits IS NULL) = (is_unlimited IS NULL)
    ),
    CONSTRAINT usage_samples_source_check CHECK (source IN ('fetch', 'headers'))
)
"""

# The newest sample of an account's window is one probe, however long the history is.
USAGE_SAMPLES_NEWEST = """
CREATE INDEX usage_samples_newest ON proxy.usage_samples (account_id, usage_window, sample_time DESC, sample_id DESC)
"""

USAGE_SAMPLES_BY_AGE = "CREATE INDEX usage_samples_sample_time ON proxy.usage_samples (sample_time)"

USAGE_FETCHES = """
CREATE TABLE proxy.usage_fetches (
    account_id uuid PRIMARY KEY REFERENCES proxy.accounts ON DELETE CASCADE,
    fetch_time timestamptz NOT NULL,
    error text NOT NULL DEFAULT ''
)
"""

ACCOUNT_STANDINGS = """
CREATE TABLE proxy.account_standings (
    account_id uuid PRIMARY KEY REFERENCES proxy.accounts ON DELETE CASCADE,
    failures integer NOT NULL,
    retry_time timestamptz,
    change_time timestamptz NOT NULL,
    last_error text NOT NULL DEFAULT '',
    last_error_time timestamptz,
    CONSTRAINT account_standings_failures_check CHECK (failures >= 0),
    CONSTRAINT account_standings_retry_check CHECK ((failures > 0) = (retry_time IS NOT NULL))
)
"""

SETTINGS = """
CREATE TABLE proxy.settings (
    is_only boolean PRIMARY KEY DEFAULT true,
    version bigint NOT NULL,
    content jsonb NOT NULL,
    update_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT settings_only_check CHECK (is_only),
    CONSTRAINT settings_version_check CHECK (version > 0),
    CONSTRAINT settings_content_check CHECK (jsonb_typeof(content) = 'object')
)
"""

NOTIFY_FUNCTION = """
CREATE FUNCTION proxy.notify_change_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(TG_ARGV[0], '');
    RETURN NULL;
END
$$
"""

# Samples that are purged are of no interest to anyone.
NOTIFIED = (
    ("usage_samples", "INSERT", "proxy_usage"),
    ("account_standings", "INSERT OR UPDATE", "proxy_standings"),
    ("settings", "INSERT OR UPDATE OR DELETE OR TRUNCATE", "proxy_settings"),
)


def upgrade() -> None:
    for statement in (
        USAGE_SAMPLES,
        USAGE_SAMPLES_NEWEST,
        USAGE_SAMPLES_BY_AGE,
        USAGE_FETCHES,
        ACCOUNT_STANDINGS,
        SETTINGS,
        NOTIFY_FUNCTION,
    ):
        op.execute(statement)
    for table, events, channel in NOTIFIED:
        op.execute(
            f"CREATE TRIGGER {table}_changed AFTER {events} ON proxy.{table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION proxy.notify_change_v1('{channel}')"
        )
