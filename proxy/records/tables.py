"""The proxy's tables, as its migrations make them; a test compares the two."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
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


def _account_id(*, is_key: bool = False) -> Column[str]:
    of_account = ForeignKey(accounts.c.account_id, ondelete="CASCADE")
    return Column("account_id", Uuid(as_uuid=False), of_account, primary_key=is_key, nullable=False)


usage_samples = Table(
    "usage_samples",
    metadata,
    Column("sample_id", Uuid(as_uuid=False), primary_key=True),
    _account_id(),
    Column("usage_window", Text, nullable=False),
    Column("used_percent", Double),
    Column("window_minutes", Integer),
    Column("reset_time", DateTime(timezone=True)),
    Column("has_credits", Boolean),
    Column("is_unlimited", Boolean),
    Column("balance", Numeric),
    Column("sample_time", DateTime(timezone=True), nullable=False),
    Column("source", Text, nullable=False),
)
NEWEST_SAMPLE_FIRST = (usage_samples.c.sample_time.desc(), usage_samples.c.sample_id.desc())
"""The id breaks ties, so that everyone takes the same sample for the newest."""
Index("usage_samples_newest", usage_samples.c.account_id, usage_samples.c.usage_window, *NEWEST_SAMPLE_FIRST)
Index("usage_samples_sample_time", usage_samples.c.sample_time)

usage_fetches = Table(
    "usage_fetches",
    metadata,
    _account_id(is_key=True),
    Column("fetch_time", DateTime(timezone=True), nullable=False),
    Column("error", Text, nullable=False, server_default=""),
)

account_standings = Table(
    "account_standings",
    metadata,
    _account_id(is_key=True),
    Column("failures", Integer, nullable=False),
    Column("retry_time", DateTime(timezone=True)),
    Column("change_time", DateTime(timezone=True), nullable=False),
    Column("last_error", Text, nullable=False, server_default=""),
    Column("last_error_time", DateTime(timezone=True)),
)

settings = Table(
    "settings",
    metadata,
    Column("is_only", Boolean, primary_key=True, server_default=text("true")),
    Column("version", BigInteger, nullable=False),
    Column("content", JSONB, nullable=False),
    Column("update_time", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

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
