"""The daemon: protobuf in, the ledger's answer out.

Reading order: `settings`, `daemon` (wiring and graceful stop), `interceptors` (who may call, how errors are told),
`translation` (messages to operations and back), `servicer` (the data plane) with `answering` (what each call asks of
the ledger), `items` (many operations, each with its own answer) and `exchange` (the streams), `admin` with
`admin_groups`, `admin_tokens`, `admin_records` and `edits` (the control plane), `tokens`, `health`, `metrics`,
`tracing`; `workers` and `worker` (several processes on one port).
"""
