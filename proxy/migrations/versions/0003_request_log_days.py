"""Request logs in a partition for each day, with totals that are kept as rows are written."""

from datetime import UTC

from alembic import op
from sqlalchemy import text

revision = "0003"
down_revision = "0002"

# Names, model, path and error are looked for by any part of them; ids, which all differ, by their beginning alone.
REQUEST_LOGS = """
CREATE TABLE proxy.request_logs (
    request_log_id uuid NOT NULL,
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
    cost_microusd bigint,
    basis text,
    settlement text NOT NULL,
    attempts jsonb NOT NULL DEFAULT '[]',
    start_time timestamptz NOT NULL,
    first_byte_ms bigint,
    duration_ms bigint NOT NULL,
    client_address text,
    user_agent text,
    retry_count integer,
    denial jsonb,
    limit_id text,
    count integer NOT NULL DEFAULT 1,
    phrase_id bigint NOT NULL GENERATED ALWAYS AS (
        proxy.phrase_id_v1(api_key_id, api_key_name, account_name, path, model, error_code, error_message)
    ) STORED,
    CONSTRAINT request_logs_pkey PRIMARY KEY (start_time, request_log_id),
    CONSTRAINT request_logs_status_check CHECK (status IN ('ok', 'rate_limit', 'quota', 'error', 'cancelled')),
    CONSTRAINT request_logs_basis_check CHECK (basis IN ('reported', 'estimated', 'reserved', 'none')),
    CONSTRAINT request_logs_settlement_check CHECK (settlement IN ('finalized', 'released', 'none', 'pending')),
    CONSTRAINT request_logs_count_check CHECK (count > 0)
) PARTITION BY RANGE (start_time)
"""

# Kept twice: with keys, and without them, because they are many and most questions are not about one.
REQUEST_TOTALS = """
CREATE TABLE proxy.request_totals (
    bucket_time timestamptz NOT NULL,
    span_seconds integer NOT NULL,
    by_key boolean NOT NULL,
    api_key_id text,
    account_id text,
    model text NOT NULL,
    status text NOT NULL,
    row_count bigint NOT NULL,
    request_count bigint NOT NULL,
    input_tokens bigint NOT NULL,
    cached_input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    total_tokens bigint NOT NULL,
    cost_microusd bigint NOT NULL
) PARTITION BY RANGE (bucket_time)
"""

ONE_TOTAL = """
CREATE UNIQUE INDEX request_totals_one ON proxy.request_totals
    (span_seconds, by_key, api_key_id, bucket_time, account_id, model, status) NULLS NOT DISTINCT
"""

NAMES = """
CREATE TABLE proxy.request_log_names (
    kind text NOT NULL,
    id text NOT NULL,
    name text NOT NULL,
    start_time timestamptz NOT NULL,
    CONSTRAINT request_log_names_pkey PRIMARY KEY (kind, id),
    CONSTRAINT request_log_names_kind_check CHECK (kind IN ('account', 'api_key'))
)
"""

# What free text is looked for in, joined by a control character, so that no match spans two of them.
TEXT_FUNCTION = """
CREATE FUNCTION proxy.search_text_v1(
    api_key_id text, api_key_name text, account_name text, path text, model text, error_code text, error_message text
) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT lower(
        coalesce(api_key_id, '') || chr(31) || coalesce(api_key_name, '') || chr(31) || coalesce(account_name, '')
        || chr(31) || path || chr(31) || model || chr(31) || coalesce(error_code, '')
        || chr(31) || coalesce(error_message, '')
    )
$$
"""

# Millions of rows say a few thousand different things, numbers in their errors aside.
PHRASE_FUNCTION = """
CREATE FUNCTION proxy.phrase_v1(
    api_key_id text, api_key_name text, account_name text, path text, model text, error_code text, error_message text
) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT proxy.search_text_v1(
        api_key_id, api_key_name, account_name, path, model, error_code,
        regexp_replace(error_message, '[0-9]+', '0', 'g')
    )
$$
"""
PHRASE_ID_FUNCTION = """
CREATE FUNCTION proxy.phrase_id_v1(
    api_key_id text, api_key_name text, account_name text, path text, model text, error_code text, error_message text
) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT hashtextextended(
        proxy.phrase_v1(api_key_id, api_key_name, account_name, path, model, error_code, error_message), 0
    )
$$
"""

PHRASES = """
CREATE TABLE proxy.request_log_phrases (
    phrase_id bigint NOT NULL,
    phrase text NOT NULL,
    last_day date NOT NULL,
    CONSTRAINT request_log_phrases_pkey PRIMARY KEY (phrase_id)
)
"""

# Everyone takes the totals' locks in one order, so that writers wait for each other and never in a circle.
COUNT_FUNCTION = """
CREATE FUNCTION proxy.count_request_logs_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO proxy.request_totals AS kept (
        bucket_time, span_seconds, by_key, api_key_id, account_id, model, status, row_count, request_count,
        input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, total_tokens, cost_microusd
    )
    SELECT date_bin(make_interval(secs => grain.seconds), written.start_time, timestamptz 'epoch'),
        grain.seconds, grain.by_key, CASE WHEN grain.by_key THEN written.api_key_id END,
        written.account_id, written.model, written.status, count(*), sum(written.count),
        coalesce(sum(written.input_tokens), 0), coalesce(sum(written.cached_input_tokens), 0),
        coalesce(sum(written.output_tokens), 0), coalesce(sum(written.reasoning_tokens), 0),
        coalesce(sum(written.total_tokens), 0), coalesce(sum(written.cost_microusd), 0)
    FROM written CROSS JOIN
        (VALUES (60, false), (3600, false), (86400, false), (3600, true), (86400, true)) AS grain (seconds, by_key)
    GROUP BY 1, 2, 3, 4, 5, 6, 7
    ORDER BY 1, 2, 3, 4, 5, 6, 7
    ON CONFLICT (span_seconds, by_key, api_key_id, bucket_time, account_id, model, status) DO UPDATE SET
        row_count = kept.row_count + excluded.row_count,
        request_count = kept.request_count + excluded.request_count,
        input_tokens = kept.input_tokens + excluded.input_tokens,
        cached_input_tokens = kept.cached_input_tokens + excluded.cached_input_tokens,
        output_tokens = kept.output_tokens + excluded.output_tokens,
        reasoning_tokens = kept.reasoning_tokens + excluded.reasoning_tokens,
        total_tokens = kept.total_tokens + excluded.total_tokens,
        cost_microusd = kept.cost_microusd + excluded.cost_microusd;
    INSERT INTO proxy.request_log_names AS kept (kind, id, name, start_time)
    SELECT DISTINCT ON (named.kind, named.id) named.kind, named.id, coalesce(named.name, named.id), named.start_time
    FROM written CROSS JOIN LATERAL (VALUES
        ('account', written.account_id, written.account_name, written.start_time),
        ('api_key', written.api_key_id, written.api_key_name, written.start_time)
    ) AS named (kind, id, name, start_time)
    WHERE named.id IS NOT NULL AND NOT EXISTS (
        SELECT FROM proxy.request_log_names AS known
        WHERE (known.kind, known.id) = (named.kind, named.id) AND known.name = coalesce(named.name, named.id)
    )
    ORDER BY named.kind, named.id, named.name IS NULL, named.start_time DESC
    ON CONFLICT (kind, id) DO UPDATE SET name = excluded.name, start_time = excluded.start_time
        WHERE excluded.name NOT IN (kept.name, excluded.id) AND kept.start_time <= excluded.start_time;
    INSERT INTO proxy.request_log_phrases AS kept (phrase_id, phrase, last_day)
    SELECT said.phrase_id, proxy.phrase_v1(
            said.api_key_id, said.api_key_name, said.account_name, said.path, said.model, said.error_code,
            said.error_message
        ), (said.start_time AT TIME ZONE 'UTC')::date
    FROM (SELECT DISTINCT ON (phrase_id) * FROM written ORDER BY phrase_id, start_time DESC) AS said
    WHERE NOT EXISTS (
        SELECT FROM proxy.request_log_phrases AS known
        WHERE known.phrase_id = said.phrase_id AND known.last_day >= (said.start_time AT TIME ZONE 'UTC')::date
    )
    ORDER BY said.phrase_id
    ON CONFLICT (phrase_id) DO UPDATE SET last_day = greatest(kept.last_day, excluded.last_day);
    RETURN NULL;
END
$$
"""

COUNT_TRIGGER = """
CREATE TRIGGER request_logs_counted AFTER INSERT ON proxy.request_logs REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION proxy.count_request_logs_v1()
"""

# A row that stands for several requests may come to stand for more.
GROW_FUNCTION = """
CREATE FUNCTION proxy.grow_request_totals_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO proxy.request_totals AS kept (
        bucket_time, span_seconds, by_key, api_key_id, account_id, model, status, row_count, request_count,
        input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, total_tokens, cost_microusd
    )
    SELECT date_bin(make_interval(secs => grain.seconds), start_time, timestamptz 'epoch'),
        grain.seconds, grain.by_key, CASE WHEN grain.by_key THEN grown.api_key_id END,
        grown.account_id, grown.model, grown.status, 0, sum(grown.count - had.count), 0, 0, 0, 0, 0, 0
    FROM grown JOIN had USING (start_time, request_log_id) CROSS JOIN
        (VALUES (60, false), (3600, false), (86400, false), (3600, true), (86400, true)) AS grain (seconds, by_key)
    WHERE grown.count <> had.count
    GROUP BY 1, 2, 3, 4, 5, 6, 7
    ORDER BY 1, 2, 3, 4, 5, 6, 7
    ON CONFLICT (span_seconds, by_key, api_key_id, bucket_time, account_id, model, status) DO UPDATE SET
        request_count = kept.request_count + excluded.request_count;
    RETURN NULL;
END
$$
"""

GROW_TRIGGER = """
CREATE TRIGGER request_logs_grown AFTER UPDATE ON proxy.request_logs
    REFERENCING OLD TABLE AS had NEW TABLE AS grown
    FOR EACH STATEMENT EXECUTE FUNCTION proxy.grow_request_totals_v1()
"""

# Rows that came before their day wait in the default partition, and are moved past the triggers, which have
# counted them. Writers wait meanwhile: one that had chosen the default partition for its row would fail.
MAKE_FUNCTION = """
CREATE FUNCTION proxy.make_log_day_v1(day date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    suffix text := to_char(day, 'YYYYMMDD');
    low timestamptz := day::timestamp AT TIME ZONE 'UTC';
    high timestamptz := (day + 1)::timestamp AT TIME ZONE 'UTC';
    parent text;
    moment text;
    columns text;
BEGIN
    IF to_regclass('proxy.request_logs_' || suffix) IS NOT NULL THEN
        RETURN false;
    END IF;
    LOCK TABLE proxy.request_logs IN SHARE ROW EXCLUSIVE MODE;
    LOCK TABLE proxy.request_logs_default, proxy.request_totals_default IN ACCESS EXCLUSIVE MODE;
    FOR parent, moment IN VALUES ('request_logs', 'start_time'), ('request_totals', 'bucket_time') LOOP
        SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns FROM pg_attribute
            WHERE attrelid = ('proxy.' || parent)::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
        EXECUTE format(
            'CREATE TABLE proxy.%1$I (LIKE proxy.%2$I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED)',
            parent || '_' || suffix, parent);
        EXECUTE format(
            'WITH early AS (DELETE FROM proxy.%1$I WHERE %2$I >= $1 AND %2$I < $2 RETURNING %3$s)'
            ' INSERT INTO proxy.%4$I (%3$s) SELECT %3$s FROM early',
            parent || '_default', moment, columns, parent || '_' || suffix) USING low, high;
        EXECUTE format('ALTER TABLE proxy.%1$I ATTACH PARTITION proxy.%2$I FOR VALUES FROM (%3$L) TO (%4$L)',
            parent, parent || '_' || suffix, low, high);
    END LOOP;
    RETURN true;
END
$$
"""

DROP_FUNCTION = """
CREATE FUNCTION proxy.drop_log_days_v1(before date) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    suffix text;
    dropped integer := 0;
    low timestamptz := before::timestamp AT TIME ZONE 'UTC';
BEGIN
    FOR suffix IN
        SELECT right(child.relname, 8) FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
        WHERE inhparent = 'proxy.request_logs'::regclass AND child.relname ~ '^request_logs_[0-9]{8}$'
            AND right(child.relname, 8) < to_char(before, 'YYYYMMDD')
        ORDER BY 1
    LOOP
        LOCK TABLE proxy.request_logs IN SHARE ROW EXCLUSIVE MODE;
        EXECUTE format('DROP TABLE proxy.%I, proxy.%I', 'request_logs_' || suffix, 'request_totals_' || suffix);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM proxy.request_logs_default WHERE start_time < low;
    DELETE FROM proxy.request_totals_default WHERE bucket_time < low;
    DELETE FROM proxy.request_log_phrases WHERE last_day < before;
    RETURN dropped;
END
$$
"""

# One per structured filter, each ending in the order of the list; the primary key is the one without a filter.
ORDERED_BY = ("account_id", "api_key_id", "model", "status")

INDEXES = (
    *(
        f"CREATE INDEX request_logs_{name}_start_time ON proxy.request_logs"
        f" ({name}, start_time DESC, request_log_id DESC)"
        for name in (*ORDERED_BY, "phrase_id")
    ),
    "CREATE INDEX request_logs_limit_id_start_time ON proxy.request_logs"
    " (limit_id, start_time DESC, request_log_id DESC) WHERE limit_id IS NOT NULL",
    "CREATE INDEX request_logs_request_id ON proxy.request_logs (lower(request_id) text_pattern_ops)",
    "CREATE INDEX request_logs_reservation_id ON proxy.request_logs (lower(reservation_id) text_pattern_ops)",
)

DEFAULTS = tuple(
    f"CREATE TABLE proxy.{name}_default PARTITION OF proxy.{name} DEFAULT"
    for name in ("request_logs", "request_totals")
)

FIRST_DAYS = """
SELECT proxy.make_log_day_v1((now() AT TIME ZONE 'UTC')::date + ahead) FROM generate_series(0, 3) AS ahead
"""


def upgrade() -> None:
    op.execute("ALTER TABLE proxy.request_logs RENAME TO request_logs_before")
    op.execute("ALTER INDEX proxy.request_logs_pkey RENAME TO request_logs_before_pkey")
    for name in ("", *(f"{name}_" for name in ORDERED_BY)):
        op.execute(f"DROP INDEX proxy.request_logs_{name}start_time")
    texts = (TEXT_FUNCTION, PHRASE_FUNCTION, PHRASE_ID_FUNCTION)
    functions = (*texts, COUNT_FUNCTION, GROW_FUNCTION, MAKE_FUNCTION, DROP_FUNCTION)
    tables = (REQUEST_LOGS, REQUEST_TOTALS, ONE_TOTAL, NAMES, PHRASES, *DEFAULTS)
    for statement in (*functions, *tables, *INDEXES, COUNT_TRIGGER, GROW_TRIGGER):
        op.execute(statement)
    _carry_over()
    op.execute("DROP TABLE proxy.request_logs_before")
    op.execute(FIRST_DAYS)


OLD_COLUMNS = """
SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute
WHERE attrelid = to_regclass('proxy.request_logs_before') AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""
OLD_HOURS = """
SELECT DISTINCT date_bin(interval '1 hour', start_time, timestamptz 'epoch') FROM proxy.request_logs_before ORDER BY 1
"""
CARRY = """
INSERT INTO proxy.request_logs ({columns}) SELECT {columns} FROM proxy.request_logs_before
WHERE start_time >= :hour AND start_time < :hour + interval '1 hour'
"""


def _carry_over() -> None:
    """The rows there are, hour by hour, so that no statement takes long; their totals are counted on the way."""
    connection = op.get_bind()
    connection.execute(text("CREATE INDEX ON proxy.request_logs_before (start_time)"))
    carry = text(CARRY.format(columns=connection.execute(text(OLD_COLUMNS)).scalar_one()))
    for hour in connection.execute(text(OLD_HOURS)).scalars().all():
        connection.execute(text("SELECT proxy.make_log_day_v1(:day)"), {"day": hour.astimezone(UTC).date()})
        connection.execute(carry, {"hour": hour})
