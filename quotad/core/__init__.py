"""The decision, pure: functions of (state, operation, now) with no I/O.

Reading order: `operations`, `state`, `plan`, then `windows`, `admission`, `settlement`, `validation`.
"""
