"""quotad: quota that never overruns, never leaks and charges exactly once.

An admitted request fits every limit that applies to it, when it is admitted and for as long as its lease is renewed;
its usage is charged exactly once, whatever crashes, repeats or arrives late.

Reading order: `values` (the words), `errors` (every refusal), `core.plan` (the one decision, pure), `store.ledger`
(the shell that makes batches, plans, verifies and writes), `wire` and `server` (messages and the daemon), `client` (the
other end), `administration` and `records` (what operators edit and read), `stack` (`quotad up`), `doctor` (what is
wrong here), `cli`.
"""
