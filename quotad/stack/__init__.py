"""`quotad up`: the whole product on one machine, as a supervisor of commands.

Reading order: `up` (what happens in which order), `services` (what is started and what it is told), `supervisor` and
`processes` (start, watch, restart, stop), `leftovers` (after a kill), `postgres` with `unprivileged` and `binaries`
(the embedded database), `stackjson` (what is kept and told).
"""
