"""The dashboard's tables, as its migrations make them; a test compares the two."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Integer, LargeBinary, MetaData, SmallInteger, Table, Text, func, text

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
)
"""Deleting a row revokes the session."""

attempt_windows = Table(
    "attempt_windows",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("start_time", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("attempts", Integer, nullable=False, server_default=text("1")),
)
"""Failed sign-in attempts per address, and over all addresses."""
