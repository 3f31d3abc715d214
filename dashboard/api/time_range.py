"""The range of time that a question is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from dashboard.api.schema import Moment
from dashboard.errors import InvalidInput

RANGE = timedelta(days=1)
RANGE_MAX = timedelta(days=366)


class TimeRange(BaseModel):
    """Query parameters; all of them are in the past or the present."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True)

    since: Moment | None = Field(default=None, description="A day before the end by default.")
    until: Moment | None = Field(default=None, description="The present by default.")

    def range(self) -> tuple[datetime, datetime]:
        """Raises `InvalidInput` for a range that is empty or too long."""
        until = self.until or datetime.now(UTC)
        since = self.since or until - RANGE
        if not timedelta() < until - since <= RANGE_MAX:
            raise InvalidInput(f"since must be before until, and at most {RANGE_MAX.days} days", field="since")
        return since, until
