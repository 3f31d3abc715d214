"""quotad: quota that never overruns, never leaks and charges exactly once.

An admitted request fits every limit that applies to it, when it is admitted and for as long as its lease is renewed;
its usage is charged exactly once, whatever crashes, repeats or arrives late.

Reading order: `values` (the words), `errors` (every refusal), `core.plan` (the one decision, pure), `store.ledger`
(the shell that locks, loads, plans and applies), `server` (the wire), `client` (the other end of it), `stack`
(`quotad up`), `doctor` (what is wrong here), `cli`.
"""
