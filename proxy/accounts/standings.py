"""The standings of a worker's accounts in memory: shared with the other replicas, but never written by a request."""

from __future__ import annotations

from collections.abc import Mapping, Set
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.accounts.standing import Standing, adopted, failed, stored, succeeded, took_turn
from proxy.records.standings import StoredStanding, list_standings

FRESH = Standing()


class Standings:
    """What is known of each account; changes wait, one an account, until they are taken to be written."""

    def __init__(self) -> None:
        self._standings: dict[str, Standing] = {}
        self._changed: set[str] = set()
        self._turn = 0

    def of(self, account_id: str) -> Standing:
        return self._standings.get(account_id, FRESH)

    def take_turn(self, account_id: str, start: float) -> None:
        self._turn += 1
        self._standings[account_id] = took_turn(self.of(account_id), self._turn, start)

    def note_failure(self, account_id: str, now: datetime, error: str) -> None:
        self._change(account_id, failed(self.of(account_id), now, error))

    def note_success(self, account_id: str, now: datetime) -> bool:
        """False where nothing counted against the account, and so nothing changes."""
        if not self.of(account_id).failures:
            return False
        self._change(account_id, succeeded(self.of(account_id), now))
        return True

    def keep_only(self, account_ids: Set[str]) -> None:
        """Forget accounts that are gone."""
        self._standings = {key: value for key, value in self._standings.items() if key in account_ids}
        self._changed &= account_ids

    async def read(self, connection: AsyncConnection) -> None:
        """Take over what other replicas have stored since."""
        self._adopt(await list_standings(connection))

    def take_changes(self) -> dict[str, StoredStanding]:
        """What has to be written; it is the caller's until `put_back`."""
        changed, self._changed = self._changed, set()
        found = {account_id: stored(self.of(account_id)) for account_id in changed}
        return {account_id: standing for account_id, standing in found.items() if standing is not None}

    def put_back(self, changes: Set[str]) -> None:
        """They could not be written: what has become of them by then waits for the next time."""
        self._changed |= changes & self._standings.keys()

    def _change(self, account_id: str, standing: Standing) -> None:
        self._standings[account_id] = standing
        self._changed.add(account_id)

    def _adopt(self, found: Mapping[str, StoredStanding]) -> None:
        for account_id, standing in found.items():
            self._standings[account_id] = adopted(self.of(account_id), standing)
