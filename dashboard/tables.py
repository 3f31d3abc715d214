"""The dashboard's tables, as its migrations make them; a test compares the two."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    func,
    text,
)

metadata = MetaData(schema="dashboard")

operator = Table(
    "operator",
    metadata,
    Column("operator_id", SmallInteger, primary_key=True, autoincrement=False, server_default=text("1")),
    Column("password_hash", Text, nullable=False),
    Column("update_time", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
"""At most one row: none until the first password is set."""

sessions = Table(
    "sessions",
    metadata,
    Column("session_hash", LargeBinary, primary_key=True),
    Column("address", Text, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("seen_time", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("expire_time", DateTime(timezone=True), nullable=False),
    Column("user_agent", Text, nullable=False, server_default=""),
    Column("password_time", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("totp_time", DateTime(timezone=True)),
)
"""Deleting a row revokes the session. The last two columns: when it last showed the password, and a code."""

totp = Table(
    "totp",
    metadata,
    Column(
        "operator_id",
        ForeignKey(operator.c.operator_id, ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
        server_default=text("1"),
    ),
    Column("sealed_secret", LargeBinary, nullable=False),
    Column("last_step", BigInteger, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
"""One row while one-time passwords are on. `last_step` is the time step of the last code that was taken."""

totp_setups = Table(
    "totp_setups",
    metadata,
    Column("session_hash", ForeignKey(sessions.c.session_hash, ondelete="CASCADE"), primary_key=True),
    Column("sealed_secret", LargeBinary, nullable=False),
    Column("expire_time", DateTime(timezone=True), nullable=False),
)
"""Secrets that were shown and not confirmed yet, at most one a session."""

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("code_hash", LargeBinary, primary_key=True),
    Column("use_time", DateTime(timezone=True)),
)

attempt_windows = Table(
    "attempt_windows",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("start_time", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("attempts", Integer, nullable=False, server_default=text("1")),
)
"""Failed attempts per address, and over all addresses: those with passwords, and those with codes."""

audit_log = Table(
    "audit_log",
    metadata,
    Column("entry_id", BigInteger, Identity(always=True), primary_key=True),
    Column("create_time", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("resource_kind", Text, nullable=False),
    Column("resource_id", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Index("audit_log_times", "create_time", "entry_id"),
)
"""The dashboard's own changes; quotad keeps those that it makes for the dashboard."""
