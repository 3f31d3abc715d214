"""What commands print: tables for people, and the same as JSON."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from quotad.values import ApiKey, KeyDescription, Limit, LimitStatus

PLAIN_WIDTH = 200
"""Columns where the output is no terminal: wide enough that ids are not cut."""


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


def rfc3339(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def key_record(key: ApiKey) -> dict[str, object]:
    return {
        "api_key_id": key.api_key_id,
        "tenant_id": key.tenant_id,
        "name": key.name,
        "secret_prefix": key.secret_prefix,
        "disabled": key.disabled,
        "expire_time": _time(key.expire_time),
        "allowed_models": list(key.allowed_models),
        "policies": {
            "on_missing_usage": key.policies.on_missing_usage.value,
            "default_output_tokens": key.policies.default_output_tokens,
        },
        "create_time": _time(key.create_time),
        "update_time": _time(key.update_time),
        "delete_time": _time(key.delete_time),
        "etag": key.etag,
        "limits": [limit_record(limit) for limit in key.limits],
    }


def description_record(description: KeyDescription) -> dict[str, object]:
    return key_record(description.api_key) | {"limits": [status_record(status) for status in description.limits]}


def limit_record(limit: Limit) -> dict[str, object]:
    return {
        "limit_id": limit.limit_id,
        "metric": limit.metric,
        "window": str(limit.window),
        "time_zone": limit.window.time_zone,
        "model_pattern": limit.model_pattern,
        "enforcement": limit.enforcement.value,
        "max_value": limit.max_value,
    }


def status_record(status: LimitStatus) -> dict[str, object]:
    return limit_record(status.limit) | {
        "owner": dataclasses.asdict(status.owner),
        "used": status.used,
        "held": status.held,
        "available": status.available,
        "window_start": _time(status.window_start),
        "reset_time": _time(status.reset_time),
    }


def limit_text(limit: Limit) -> str:
    model = f" for {limit.model_pattern}" if limit.model_pattern else ""
    return f"{limit.metric} {limit.max_value:,} per {limit.window}{model}"


def status_row(status: LimitStatus) -> tuple[str, ...]:
    reset = "never" if status.reset_time is None else rfc3339(status.reset_time)
    limit = status.limit
    counts = (f"{count:,}" for count in (status.used, status.held, status.available, limit.max_value))
    return (limit.metric, str(limit.window), limit.model_pattern or "*", limit.enforcement.value, *counts, reset)


def key_state(key: ApiKey, now: datetime) -> str:
    if key.delete_time is not None:
        return "deleted"
    if key.disabled:
        return "disabled"
    return "expired" if key.expire_time is not None and key.expire_time <= now else "active"


def _time(time: datetime | None) -> str | None:
    return None if time is None else rfc3339(time)
