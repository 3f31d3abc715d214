"""One SQL function call per RPC: the per-request design that the ledger is compared with.

`schema.sql` has the tables and the three functions, `store` calls them, `server` answers quota.v1 with them.
"""

DATABASE_VARIABLE = "BENCH_DATABASE_URL"
READY = "the server is ready"
"""What a server prints once it can be called."""
