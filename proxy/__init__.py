"""The proxy worker: OpenAI's Responses API and Chat Completions under quota, for any number of workers over one ledger.

What it guarantees:

- Nothing reaches an upstream unless the caller's limits admit it: one reservation a request, whatever number of
  attempts, refreshes and accounts it takes. Where quotad cannot be asked, the answer is 503, or what the key's owner
  allows is served and charged later.
- Every way out ends the hold exactly once: charged with the usage that the upstream reported, else given back, else
  by the key's own policy. A caller who leaves early pays what one who stays does. A settlement is acknowledged, or on
  the disk, before the caller sees the end of its answer.
- Before the first byte a failure is a status with an OpenAI error object; after it, a terminal event of the stream.
  Bytes of the upstream are passed on unchanged, but for a usage report that the caller did not ask to see.
- What is not served is 404: there is no way past the meter.

Reading order: `errors` and `config`; `http.routes`, `http.response` (a request as it arrives), `requests.task` (its
owner), `requests.attempts`, `requests.relay`; `dialects` (what tells the APIs apart); `metering` (what to hold, what
was used, what it costs); `settlement` (how a hold ends); `accounts` (who serves); `records` (what is stored, and what
the dashboard may read); `http.app` (wiring) and `cli.serve` (the process).
"""
