"""Refusals by minute and key, as what an operator asks: which limit refuses, whom, how often, and when it fits."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from quotad.client.admin import AdminClient
from quotad.client.types import Enforcement, Limit, LimitOwner, LimitStatus, RefusalCount
from quotad.client.types import RefusalSample as Refusal

COUNTS_MAX = 20_000
"""Counts of a minute, key and limit that one answer is made of; beyond them it says that it is not complete."""
KEYS_MAX = 10
SAMPLES_MAX = 10
POINTS = 60
MINUTE = timedelta(minutes=1)
CALLS_MAX = 8
"""Owners whose limits are asked for at a time."""
OWNER_LIMITS_MAX = 100
"""More than a key or a group can have."""

Status = LimitStatus | None
Statuses = Mapping[str, LimitStatus]
"""By limit id; a limit that was removed is missing."""


class Fit(StrEnum):
    """What it takes for a refused request to fit."""

    NOW = "now"
    WHEN_RELEASED = "when_released"
    """Only what open requests hold is in its way."""
    AT_RESET = "at_reset"
    """The rest is used up until the window resets."""
    NEVER = "never"
    """It is larger than the limit, or the limit never resets: only a higher limit helps."""
    REMOVED = "removed"
    """The limit is gone."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One refusal, and whose request it was."""

    api_key_id: str
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class RefusingLimit:
    """What one limit refused within a range."""

    limit: Limit
    owner: LimitOwner
    enforcement: Enforcement
    refused: int
    first_time: datetime
    last_time: datetime
    key_count: int
    keys: tuple[tuple[str, int], ...]
    points: tuple[tuple[datetime, int], ...]
    samples: tuple[Sample, ...]


def by_limit(counts: Sequence[RefusalCount], since: datetime, until: datetime) -> list[RefusingLimit]:
    """The limits, those that refused most first. A limit that was enforced and a shadow at times is told twice."""
    gathered: dict[tuple[str, Enforcement], list[RefusalCount]] = defaultdict(list)
    for count in counts:
        gathered[count.limit.limit_id, count.enforcement].append(count)
    step = max(MINUTE, (until - since) / POINTS)
    found = [_refusing(of_limit, since, step) for of_limit in gathered.values()]
    return sorted(found, key=lambda limit: (-limit.refused, limit.limit.limit_id))


def fit_of(requested: int, status: Status) -> Fit:
    """Whether a request of this size fits a limit as it stands."""
    if status is None:
        return Fit.REMOVED
    maximum = status.limit.max_value
    if requested <= status.available:
        return Fit.NOW
    if requested > maximum:
        return Fit.NEVER
    if requested <= maximum - status.used:
        return Fit.WHEN_RELEASED
    return Fit.NEVER if status.reset_time is None else Fit.AT_RESET


def key_ids(limits: Iterable[RefusingLimit]) -> Iterator[str]:
    """The keys that are named."""
    for limit in limits:
        yield from (api_key_id for api_key_id, _ in limit.keys)
        yield from (sample.api_key_id for sample in limit.samples)


async def statuses(admin: AdminClient, limits: Iterable[RefusingLimit]) -> Statuses:
    """How these limits stand, one call for each owner. Raises what quotad raises."""
    turns = asyncio.Semaphore(CALLS_MAX)

    async def of_owner(owner_id: str) -> tuple[LimitStatus, ...]:
        async with turns:
            return (await admin.list_limits(api_key_id=owner_id, page_size=OWNER_LIMITS_MAX)).items

    owners = {limit.owner.group_id or limit.owner.api_key_id for limit in limits}
    found = await asyncio.gather(*(of_owner(owner_id) for owner_id in owners))
    return {status.limit.limit_id: status for of_one in found for status in of_one}


def _refusing(counts: Sequence[RefusalCount], since: datetime, step: timedelta) -> RefusingLimit:
    latest = max(counts, key=lambda count: count.minute)
    keys, points = Counter[str](), Counter[datetime]()
    for count in counts:
        keys[count.api_key_id] += count.refused
        points[_point(count.minute, since, step)] += count.refused
    samples = [Sample(count.api_key_id, refusal) for count in counts for refusal in count.samples]
    samples.sort(key=lambda sample: sample.refusal.time, reverse=True)
    return RefusingLimit(
        limit=latest.limit,
        owner=latest.owner,
        enforcement=latest.enforcement,
        refused=keys.total(),
        first_time=min(count.minute for count in counts),
        last_time=latest.minute,
        key_count=len(keys),
        keys=tuple(keys.most_common(KEYS_MAX)),
        points=tuple(sorted(points.items())),
        samples=tuple(samples[:SAMPLES_MAX]),
    )


def _point(minute: datetime, since: datetime, step: timedelta) -> datetime:
    """The start of the part of the range that a minute lies in; the first minute may have begun before the range."""
    return since + max(0, (minute - since) // step) * step
