"""What commands print for people; `records` has the same as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table

from quotad.cli.limits import UTC
from quotad.cli.records import rfc3339
from quotad.values import ApiKey, Enforcement, Limit, LimitStatus

PLAIN_WIDTH = 200
"""Columns where the output is no terminal: wide enough that ids are not cut."""
STATUS_COLUMNS = ("OWNER", "METRIC", "WINDOW", "MODEL", "ENFORCEMENT", "USED", "HELD", "AVAILABLE", "MAX", "RESETS")


def print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    console = Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def print_statuses(statuses: Sequence[LimitStatus]) -> None:
    if statuses:
        print_table(STATUS_COLUMNS, [_status_row(status) for status in statuses])


def limit_text(limit: Limit) -> str:
    model = f" for {limit.model_pattern}" if limit.model_pattern else ""
    shadow = " (shadow)" if limit.enforcement is Enforcement.SHADOW else ""
    return f"{limit.metric} {limit.max_value:,} per {_window_text(limit)}{model}{shadow}"


def limits_text(limits: Sequence[Limit]) -> str:
    return "; ".join(limit_text(limit) for limit in limits) or "no limit"


def key_state(key: ApiKey, now: datetime) -> str:
    if key.delete_time is not None:
        return "deleted"
    if key.disabled:
        return "disabled"
    return "expired" if key.expire_time is not None and key.expire_time <= now else "active"


def _status_row(status: LimitStatus) -> tuple[str, ...]:
    owner = f"group {status.owner.name}" if status.owner.group_id else "key"
    reset = "never" if status.reset_time is None else rfc3339(status.reset_time)
    limit = status.limit
    counts = (f"{count:,}" for count in (status.used, status.held, status.available, limit.max_value))
    rule = limit.metric, _window_text(limit), limit.model_pattern or "*", limit.enforcement.value
    return (owner, *rule, *counts, reset)


def _window_text(limit: Limit) -> str:
    zone = limit.window.time_zone
    return str(limit.window) if zone == UTC else f"{limit.window} in {zone}"
