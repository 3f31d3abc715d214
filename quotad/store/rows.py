"""Rows to values and back: the only place that knows the columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import asyncpg

from quotad.core.state import WindowKey, WindowState
from quotad.values import Basis, Hold, Reservation, ReservationState

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
        forced_reason=row["forced_reason"] or "",
    )


def windows_from(rows: Sequence[Row]) -> dict[WindowKey, WindowState]:
    return {
        (str(row["limit_id"]), row["window_start"]): WindowState(
            row["reset_time"], row["held"], row["used"], row["max_value"]
        )
        for row in rows
    }


def window_arrays(
    needed: Mapping[WindowKey, datetime | None],
) -> tuple[list[UUID], list[datetime], list[datetime | None]]:
    """Window rows as the parallel arrays that `lock_windows_v1` takes."""
    keys = sorted(needed)
    return [UUID(limit_id) for limit_id, _ in keys], [start for _, start in keys], [needed[key] for key in keys]


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
