"""The proxy's tables, as its migrations make them; a test compares the two."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
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

SEARCHED = ("api_key_id", "api_key_name", "account_name", "path", "model", "error_code", "error_message")
"""What free text is looked for in; ids of the request are compared with their beginnings instead."""

request_logs = Table(
    "request_logs",
    metadata,
    Column("request_log_id", Uuid(as_uuid=False), nullable=False),
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
    Column("cost_microusd", BigInteger),
    Column("basis", Text),
    Column("settlement", Text, nullable=False),
    Column("attempts", JSONB, nullable=False, server_default=text("'[]'")),
    Column("start_time", DateTime(timezone=True), nullable=False),
    Column("first_byte_ms", BigInteger),
    Column("duration_ms", BigInteger, nullable=False),
    Column("client_address", Text),
    Column("user_agent", Text),
    Column("retry_count", Integer),
    Column("denial", JSONB(none_as_null=True)),
    Column("limit_id", Text),
    Column("count", Integer, nullable=False, server_default=text("1")),
    Column(
        "phrase_id",
        BigInteger,
        Computed(f"proxy.phrase_id_v1({', '.join(SEARCHED)})", persisted=True),
        nullable=False,
    ),
    PrimaryKeyConstraint("start_time", "request_log_id", name="request_logs_pkey"),
    postgresql_partition_by="RANGE (start_time)",
)
"""One row per request; a row of refusals may stand for `count` of them. A partition for each UTC day."""

NEWEST_FIRST = (request_logs.c.start_time.desc(), request_logs.c.request_log_id.desc())
"""The one order of the list; the id breaks ties, so that no row is on two pages."""

for leading in ("account_id", "api_key_id", "model", "status", "phrase_id"):
    Index(f"request_logs_{leading}_start_time", request_logs.c[leading], *NEWEST_FIRST)
Index(
    "request_logs_limit_id_start_time",
    request_logs.c.limit_id,
    *NEWEST_FIRST,
    postgresql_where=request_logs.c.limit_id.is_not(None),
)
for name in ("request_id", "reservation_id"):
    Index(
        f"request_logs_{name}", func.lower(request_logs.c[name]).label(name), postgresql_ops={name: "text_pattern_ops"}
    )

MEASURES = (
    "request_count",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "total_tokens",
    "cost_microusd",
)
"""What is added up beside the number of rows."""

request_totals = Table(
    "request_totals",
    metadata,
    Column("bucket_time", DateTime(timezone=True), nullable=False),
    Column("span_seconds", Integer, nullable=False),
    Column("by_key", Boolean, nullable=False),
    Column("api_key_id", Text),
    Column("account_id", Text),
    Column("model", Text, nullable=False),
    Column("status", Text, nullable=False),
    *(Column(measure, BigInteger, nullable=False) for measure in ("row_count", *MEASURES)),
    postgresql_partition_by="RANGE (bucket_time)",
)
"""What triggers add up as rows of the log are written, in the same transaction: for each minute, hour and UTC day
without keys (`by_key` is false, no `api_key_id`), and for each hour and day with them."""
Index(
    "request_totals_one",
    *(
        request_totals.c[name]
        for name in ("span_seconds", "by_key", "api_key_id", "bucket_time", "account_id", "model", "status")
    ),
    unique=True,
    postgresql_nulls_not_distinct=True,
)

request_log_names = Table(
    "request_log_names",
    metadata,
    Column("kind", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("start_time", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("kind", "id", name="request_log_names_pkey"),
)
"""Each account and key that the log ever named, with its newest name, or its id."""

request_log_phrases = Table(
    "request_log_phrases",
    metadata,
    Column("phrase_id", BigInteger, nullable=False),
    Column("phrase", Text, nullable=False),
    Column("last_day", Date, nullable=False),
    PrimaryKeyConstraint("phrase_id", name="request_log_phrases_pkey"),
)
"""What rows say in the columns of `SEARCHED`, each once, with numbers in errors as 0. Millions say a few thousand."""
