"""The daemon: protobuf in, the ledger's answer out.

Reading order: `settings`, `daemon` (wiring and graceful stop), `interceptors` (who may call, how errors are told),
`translation` (messages to operations and back), `servicer` and `admin` (the two services), `health`, `metrics`.
"""
