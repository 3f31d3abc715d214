"""The usage windows of a worker's accounts in memory: the newest samples of all replicas, and what answers tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.accounts.usage import exhaustion, read_headers
from proxy.records import write
from proxy.records.usage import NO_USAGE, AccountUsage
from proxy.records.usage_samples import insert_samples, latest_by_account


class Usages:
    """What each account reported last. `clock` is monotonic, in seconds.

    Of an account's headers one sample in `sample_seconds` is taken, and any that shows a window newly used up; it
    waits, one an account, until it is taken to be written.
    """

    def __init__(self, clock: Callable[[], float], *, sample_seconds: float) -> None:
        self._clock = clock
        self._sample_seconds = sample_seconds
        self._usages: dict[str, AccountUsage] = {}
        self._sampled_at: dict[str, float] = {}
        self._waiting: dict[str, AccountUsage] = {}

    def of(self, account_id: str) -> AccountUsage:
        return self._usages.get(account_id, NO_USAGE)

    def note_headers(self, account_id: str, headers: Sequence[tuple[str, str]], now: datetime) -> AccountUsage | None:
        """Take a sample from an answer's headers; None where it has none, or the last one is young enough."""
        told = read_headers(headers, now)
        if told.is_empty:
            return None
        is_young = self._clock() < self._sampled_at.get(account_id, float("-inf")) + self._sample_seconds
        was_exhausted = exhaustion(self.of(account_id), now) is not None
        if is_young and (was_exhausted or exhaustion(told, now) is None):
            return None
        self._sampled_at[account_id] = self._clock()
        self._usages[account_id] = self.of(account_id).merged(told)
        self._waiting[account_id] = told
        return told

    def keep_only(self, account_ids: Set[str]) -> None:
        """Forget accounts that are gone."""
        for known in (self._usages, self._sampled_at, self._waiting):
            for account_id in known.keys() - account_ids:
                del known[account_id]

    async def read(self, connection: AsyncConnection) -> None:
        """Take over the newest samples of all replicas."""
        for account_id, usage in (await latest_by_account(connection)).items():
            self._usages[account_id] = self.of(account_id).merged(usage)

    def take_changes(self) -> dict[str, AccountUsage]:
        """The samples that have to be written; they are the caller's until `put_back`."""
        waiting, self._waiting = self._waiting, {}
        return waiting

    def put_back(self, samples: Mapping[str, AccountUsage]) -> None:
        """They could not be written, and wait for the next time unless there are newer ones."""
        self._waiting = {key: usage for key, usage in samples.items() if key in self._usages} | self._waiting


async def store_usage(connection: AsyncConnection, account_id: str, usage: AccountUsage, now: datetime) -> bool:
    """Write an account's samples and, where a window is used up, leave the account alone until its reset.

    True only if a row was written (C5).
    """
    is_written = await insert_samples(connection, account_id, usage)
    used_up = exhaustion(usage, now)
    if is_written and used_up is not None:
        await write.move_account(connection, account_id, used_up.state, until=used_up.until)
    return is_written
