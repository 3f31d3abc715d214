"""The decision, pure: functions of (state, operation, now) with no I/O.

Reading order: `operations`, `state`, `plan`, `reserving` with `admission` and `windows`, `settling` with `transitions`,
`draft` (what a plan has changed so far), `validation`; then `keys`, `groups` and `edit_validation` for edits.
"""
