"""Rows to values and back: the only place that knows the columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import asyncpg

from quotad.core.state import KeyConfig, Rule, WindowKey, WindowState
from quotad.values import (
    ApiKey,
    Basis,
    Enforcement,
    Hold,
    KeyPolicies,
    Limit,
    LimitOwner,
    OnMissingUsage,
    Reservation,
    ReservationState,
    Window,
    WindowKind,
)

Row: TypeAlias = asyncpg.Record


def reservation_from(row: Row) -> Reservation:
    return Reservation(
        reservation_id=row["reservation_id"],
        tenant_id=row["tenant_id"],
        api_key_id=row["api_key_id"] or "",
        model=row["model"],
        state=ReservationState(row["state"]),
        requested=row["requested"],
        min_amounts=row["min_amounts"] or {},
        reserved=row["requested"] if row["reserved"] is None else row["reserved"],
        actual=row["actual"] or {},
        holds=_holds_from(row),
        create_time=row["create_time"],
        expire_time=row["expire_time"],
        settle_time=row["settle_time"],
        late=row["late"],
        unreserved=row["unreserved"],
        basis=Basis(row["basis"]) if row["basis"] else None,
        labels=row["labels"] or {},
    )


def windows_from(rows: Sequence[Row]) -> dict[WindowKey, WindowState]:
    return {
        (str(row["limit_id"]), row["window_start"]): WindowState(
            row["reset_time"], row["held"], row["used"], row["max_value"]
        )
        for row in rows
    }


def key_config_from(row: Row, limit_rows: Sequence[Row]) -> KeyConfig:
    owner = LimitOwner(row["api_key_id"], row["name"])
    rules = tuple(Rule(_limit_from(limit), owner, limit["create_time"]) for limit in limit_rows)
    return KeyConfig(_api_key_from(row, tuple(rule.limit for rule in rules)), rules, row["config_version"])


def window_arrays(
    needed: Mapping[WindowKey, datetime | None],
) -> tuple[list[UUID], list[datetime], list[datetime | None]]:
    """Window rows as the parallel arrays that `lock_windows_v1` takes."""
    keys = sorted(needed)
    return [UUID(limit_id) for limit_id, _ in keys], [start for _, start in keys], [needed[key] for key in keys]


def _api_key_from(row: Row, limits: tuple[Limit, ...]) -> ApiKey:
    return ApiKey(
        api_key_id=row["api_key_id"],
        tenant_id=row["tenant_id"],
        name=row["name"],
        secret_prefix=row["secret_prefix"],
        limits=limits,
        create_time=row["create_time"],
        update_time=row["update_time"],
        etag=row["etag"],
        disabled=row["disabled"],
        expire_time=row["expire_time"],
        delete_time=row["delete_time"],
        allowed_models=tuple(row["allowed_models"]),
        policies=KeyPolicies(OnMissingUsage(row["on_missing_usage"]), row["default_output_tokens"]),
    )


def _limit_from(row: Row) -> Limit:
    return Limit(
        metric=row["metric"],
        window=Window(WindowKind(row["window_kind"]), row["window_seconds"], row["time_zone"]),
        max_value=row["max_value"],
        model_pattern=row["model_pattern"],
        enforcement=Enforcement(row["enforcement"]),
        limit_id=str(row["limit_id"]),
    )


def _holds_from(row: Row) -> tuple[Hold, ...]:
    nothing = [0] * len(row["hold_limit_ids"])
    columns = (
        row["hold_limit_ids"],
        row["hold_metrics"],
        row["hold_window_starts"],
        row["hold_reset_times"],
        row["hold_amounts"],
        row["hold_charges"] or nothing,
        row["hold_over_by"] or nothing,
    )
    return tuple(Hold(str(limit_id), *rest) for limit_id, *rest in zip(*columns, strict=True))
