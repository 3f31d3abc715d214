"""One-time passwords, recovery codes, what each session has shown, and the log of the dashboard's own changes."""

from alembic import op

revision = "0002"
down_revision = "0001"

SESSIONS = """
ALTER TABLE dashboard.sessions
    ADD COLUMN user_agent text NOT NULL DEFAULT '',
    ADD COLUMN password_time timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN totp_time timestamptz
"""

TOTP = """
CREATE TABLE dashboard.totp (
    operator_id smallint PRIMARY KEY DEFAULT 1 REFERENCES dashboard.operator ON DELETE CASCADE,
    sealed_secret bytea NOT NULL,
    last_step bigint NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now()
)
"""

TOTP_SETUPS = """
CREATE TABLE dashboard.totp_setups (
    session_hash bytea PRIMARY KEY REFERENCES dashboard.sessions ON DELETE CASCADE,
    sealed_secret bytea NOT NULL,
    expire_time timestamptz NOT NULL
)
"""

RECOVERY_CODES = """
CREATE TABLE dashboard.recovery_codes (
    code_hash bytea PRIMARY KEY,
    use_time timestamptz,
    CONSTRAINT recovery_codes_hash_check CHECK (octet_length(code_hash) = 32)
)
"""

AUDIT_LOG = """
CREATE TABLE dashboard.audit_log (
    entry_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    action text NOT NULL,
    resource_kind text NOT NULL,
    resource_id text NOT NULL,
    before text NOT NULL,
    after text NOT NULL
)
"""
AUDIT_LOG_TIMES = "CREATE INDEX audit_log_times ON dashboard.audit_log (create_time, entry_id)"


def upgrade() -> None:
    for statement in (SESSIONS, TOTP, TOTP_SETUPS, RECOVERY_CODES, AUDIT_LOG, AUDIT_LOG_TIMES):
        op.execute(statement)
