"""Limits as the page writes and reads them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from dashboard.api.schema import Answer, Input, Moment
from quotad.client.types import Enforcement, Limit, Window, WindowKind
from quotad.client.types import LimitOwner as LimitOwnerValue
from quotad.client.types import LimitStatus as LimitStatusValue

WindowText = Annotated[
    str,
    StringConstraints(pattern=r"^(minute|hour|day|week|month|lifetime|[1-9][0-9]{0,9}s)$"),
    Field(description="minute, hour, day, week, month, lifetime, or seconds such as 18000s", examples=["day"]),
]


class NewLimit(Input):
    """A limit to be set. A rule that a key had before keeps its counters."""

    metric: str = Field(examples=["total_tokens"])
    window: WindowText
    max_value: int = Field(ge=0)
    model_pattern: str = Field(default="", description="An exact name or `prefix*`; empty matches every model.")
    time_zone: str = Field(default="UTC", description="IANA zone that a calendar window follows.")
    enforcement: Enforcement = Enforcement.ENFORCE

    def value(self) -> Limit:
        return Limit(
            metric=self.metric,
            window=parse_window(self.window, self.time_zone),
            max_value=self.max_value,
            model_pattern=self.model_pattern,
            enforcement=self.enforcement,
        )


class LimitOwner(Answer):
    """The key or the group that a limit is set on."""

    kind: Literal["api_key", "group"]
    id: str
    name: str


class LimitStatus(Answer):
    """A limit and what its current window holds."""

    limit_id: str
    metric: str
    window: WindowText
    time_zone: str
    model_pattern: str
    enforcement: Enforcement
    max_value: int
    used: int
    held: int
    available: int
    window_start: Moment
    reset_time: Moment | None
    """Null for a window that never ends."""


class GroupLimitStatus(LimitStatus):
    """A limit that binds a key because its group, or one above that, has it."""

    group_id: str
    group_name: str


def parse_window(text: str, time_zone: str) -> Window:
    """The window that `WindowText` names."""
    if text.endswith("s"):
        return Window(WindowKind.FIXED, int(text[:-1]), time_zone)
    return Window(WindowKind(text), 0, time_zone)


def limit_answer(status: LimitStatusValue) -> LimitStatus:
    return LimitStatus(**_fields(status))


def group_limit_answer(status: LimitStatusValue) -> GroupLimitStatus:
    return GroupLimitStatus(**_fields(status), group_id=status.owner.group_id, group_name=status.owner.name)


def _fields(status: LimitStatusValue) -> dict[str, Any]:
    limit = status.limit
    return {
        "limit_id": limit.limit_id,
        "metric": limit.metric,
        "window": str(limit.window),
        "time_zone": limit.window.time_zone,
        "model_pattern": limit.model_pattern,
        "enforcement": limit.enforcement,
        "max_value": limit.max_value,
        "used": status.used,
        "held": status.held,
        "available": status.available,
        "window_start": status.window_start,
        "reset_time": status.reset_time,
    }


def owner_answer(owner: LimitOwnerValue) -> LimitOwner:
    if owner.group_id:
        return LimitOwner(kind="group", id=owner.group_id, name=owner.name)
    return LimitOwner(kind="api_key", id=owner.api_key_id, name=owner.name)
