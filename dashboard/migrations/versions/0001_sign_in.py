"""The operator's password, sessions, and counters of sign-in attempts."""

from alembic import op

revision = "0001"
down_revision = None

OPERATOR = """
CREATE TABLE dashboard.operator (
    operator_id smallint PRIMARY KEY DEFAULT 1,
    password_hash text NOT NULL,
    update_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT operator_one_check CHECK (operator_id = 1)
)
"""

SESSIONS = """
CREATE TABLE dashboard.sessions (
    session_hash bytea PRIMARY KEY,
    address text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    seen_time timestamptz NOT NULL DEFAULT now(),
    expire_time timestamptz NOT NULL,
    CONSTRAINT sessions_hash_check CHECK (octet_length(session_hash) = 32),
    CONSTRAINT sessions_expire_check CHECK (expire_time > create_time)
)
"""

ATTEMPT_WINDOWS = """
CREATE TABLE dashboard.attempt_windows (
    scope text PRIMARY KEY,
    start_time timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 1,
    CONSTRAINT attempt_windows_attempts_check CHECK (attempts >= 0)
)
"""


def upgrade() -> None:
    for statement in (OPERATOR, SESSIONS, ATTEMPT_WINDOWS):
        op.execute(statement)
