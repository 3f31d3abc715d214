"""The proxy's tables, as its migrations make them; a test compares the two."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

SCHEMA = "proxy"

metadata = MetaData(schema=SCHEMA)

accounts = Table(
    "accounts",
    metadata,
    Column("account_id", Uuid(as_uuid=False), primary_key=True),
    Column("name", Text, nullable=False),
    Column("base_url", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("sealed_credentials", LargeBinary, nullable=False),
    Column("token_version", BigInteger, nullable=False, server_default=text("1")),
    Column("token_url", Text, nullable=False, server_default=""),
    Column("client_id", Text, nullable=False, server_default=""),
    Column("chatgpt_account_id", Text, nullable=False, server_default=""),
    Column("usage_url", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False, server_default="active"),
    Column("until", DateTime(timezone=True)),
    Column("state_reason", Text, nullable=False, server_default=""),
    Column("is_demo", Boolean, nullable=False, server_default=text("false")),
    Column("create_time", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("update_time", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("name", name="accounts_name_key"),
)
Index("accounts_one_demo", accounts.c.is_demo, unique=True, postgresql_where=accounts.c.is_demo)

SEARCHED = (
    "request_id",
    "coalesce(reservation_id, ''::text)",
    "coalesce(api_key_id, ''::text)",
    "coalesce(api_key_name, ''::text)",
    "coalesce(account_name, ''::text)",
    "path",
    "model",
    "coalesce(error_code, ''::text)",
    "coalesce(error_message, ''::text)",
)
"""What free text is looked for in: joined by a control character, so that no match spans two of them."""

request_logs = Table(
    "request_logs",
    metadata,
    Column("request_log_id", Uuid(as_uuid=False), primary_key=True),
    Column("request_id", Text, nullable=False),
    Column("reservation_id", Text),
    Column("tenant_id", Text),
    Column("api_key_id", Text),
    Column("api_key_name", Text),
    Column("account_id", Text),
    Column("account_name", Text),
    Column("path", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("stream", Boolean, nullable=False),
    Column("status", Text, nullable=False),
    Column("http_status", Integer, nullable=False),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("input_tokens", BigInteger),
    Column("cached_input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Column("total_tokens", BigInteger),
    Column("basis", Text),
    Column("settlement", Text, nullable=False),
    Column("attempts", JSONB, nullable=False, server_default=text("'[]'")),
    Column("start_time", DateTime(timezone=True), nullable=False),
    Column("first_byte_ms", BigInteger),
    Column("duration_ms", BigInteger, nullable=False),
    Column("client_address", Text),
    Column("user_agent", Text),
    Column("denial", JSONB(none_as_null=True)),
    Column("search_text", Text, Computed(f"lower({' || chr(31) || '.join(SEARCHED)})", persisted=True), nullable=False),
)
NEWEST_FIRST = (request_logs.c.start_time.desc(), request_logs.c.request_log_id.desc())
"""The one order of the list; the id breaks ties, so that no row is on two pages."""

for leading in ((), ("account_id",), ("api_key_id",), ("model",), ("status",)):
    Index(
        "_".join(("request_logs", *leading, "start_time")),
        *(request_logs.c[name] for name in leading),
        *NEWEST_FIRST,
    )
