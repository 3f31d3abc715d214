"""The attempts of one request over the accounts: which comes next, and when to stop.

A 401 is answered by one refresh and the same account again, a refusal of `stream_options` by the same account without
it; a 401 after that, a limit, a broken connection or a 5xx by the next account (S3 to S6). After the first byte of an
answer nothing is retried.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from proxy.accounts.pool import AccountPool, Authorization
from proxy.accounts.stickiness import sticky_key
from proxy.config import ProxySettings
from proxy.errors import NoAccounts, ProxyError, UpstreamError, UpstreamFailed
from proxy.records.accounts import Account
from proxy.records.request_logs import AttemptRow
from proxy.requests.outcomes import AttemptOutcome, Done, Failed, Retry, RetryReason
from proxy.requests.patience import OutOfPatience
from proxy.requests.relay import Sink, relay
from proxy.requests.reporting import Unreporting, may_be_refused_field
from proxy.requests.rewriting import UpstreamBodies
from proxy.requests.types import ProxyRequest
from proxy.requests.verdicts import judge_refusal
from proxy.upstream import Upstream, UpstreamAnswer

UNFINISHED = "cut"
"""Outcome of an attempt that ended because its request did."""


class Attempts:
    """The attempts of one request, and their record for its log row."""

    def __init__(
        self,
        request: ProxyRequest,
        sink: Sink,
        *,
        accounts: AccountPool,
        upstream: Upstream,
        unreporting: Unreporting,
        settings: ProxySettings,
    ) -> None:
        self._request = request
        self._sink = sink
        self._accounts = accounts
        self._upstream = upstream
        self._unreporting = unreporting
        self._settings = settings
        self._refreshed: set[str] = set()
        key_id = request.key.api_key.api_key_id if request.key else ""
        self._sticky_key = sticky_key(key_id, request.content.get("prompt_cache_key"))
        self._unasked: set[str] = set()
        """Accounts that refused to be asked for a report."""
        self.rows: list[AttemptRow] = []
        self.account: Account | None = None
        """The last one tried."""

    async def run(self, bodies: UpstreamBodies) -> Done | Failed:
        """Until one is done or failed, or there is nothing left to try; `OutOfPatience` where nobody waits for more."""
        tried: set[str] = set()
        last: ProxyError | None = None
        for _ in range(self._settings.attempts_max):
            if self._sink.patience.has_left:
                raise OutOfPatience
            try:
                account = self._next_account(tried, last)
            except NoAccounts as error:
                return Failed(last or error)
            outcome = await self._recorded(account, bodies)
            if not isinstance(outcome, Retry):
                return outcome
            last = outcome.error
            if not outcome.same_account:
                tried.add(account.account_id)
        return Failed(last or NoAccounts())

    def _next_account(self, tried: set[str], last: ProxyError | None) -> Account:
        if last is not None and self.account is not None and self.account.account_id not in tried:
            return self.account
        self.account = self._accounts.select(self._request.model, frozenset(tried), self._sticky_key)
        return self.account

    async def _recorded(self, account: Account, bodies: UpstreamBodies) -> AttemptOutcome:
        """One attempt, noted in the rows and in the account's standing whatever becomes of it."""
        start = time.monotonic()
        outcome: AttemptOutcome | None = None
        try:
            outcome = await self._attempt(account, bodies)
            await self._note(account, outcome)
            return outcome
        finally:
            self.rows.append(_row(account, outcome, round((time.monotonic() - start) * 1000)))

    async def _note(self, account: Account, outcome: AttemptOutcome) -> None:
        match outcome:
            case Retry(limit=limit) if limit is not None:
                await self._accounts.mark_limited(account, limit.state, limit.until)
            case Retry(error=error) if outcome.is_failure:
                self._accounts.note_failure(account, error)
            case Failed(error=UpstreamError() as error):
                self._accounts.note_failure(account, error)
            case Done():
                self._accounts.note_success(account)

    async def _attempt(self, account: Account, bodies: UpstreamBodies) -> AttemptOutcome:
        try:
            authorization = self._accounts.authorization(account)
            outcome = await self._post(account, authorization, bodies)
        except (UpstreamError, NoAccounts) as error:
            return Retry(RetryReason.UNREACHABLE, error)
        if outcome is not None:
            return outcome
        return await self._unauthorized(account, authorization)

    async def _post(
        self, account: Account, authorization: Authorization, bodies: UpstreamBodies
    ) -> AttemptOutcome | None:
        """The outcome; None after a 401, for which the connection need not be kept."""
        account_id = account.account_id
        asks = account_id not in self._unasked and not self._unreporting.has(account_id, self._request.model)
        body = bodies.reporting if asks else bodies.plain
        url = account.base_url.rstrip("/") + self._request.endpoint.value
        async with self._upstream.post(url, self._request.headers, authorization.headers, body) as answer:
            is_success = 200 <= answer.status < 300
            self._accounts.note_headers(account, answer.headers, is_refusal=not is_success)
            if is_success:
                if account_id in self._unasked:
                    self._unreporting.remember(account_id, self._request.model)
                return await relay(answer, self._sink, self._request, self._settings)
            if answer.status == 401:
                return None
            return await self._refusal(account_id, answer, has_asked=body is not bodies.plain)

    async def _refusal(self, account_id: str, answer: UpstreamAnswer, *, has_asked: bool) -> AttemptOutcome:
        body = await answer.read_refusal()
        outcome = judge_refusal(answer.status, answer.headers, body, datetime.now(UTC))
        if has_asked and isinstance(outcome, Failed) and may_be_refused_field(answer.status, body):
            # Remembered only once the account serves the request without it: a caller could name the field, too.
            self._unasked.add(account_id)
            return Retry(RetryReason.UNREPORTING, outcome.error, answer.status)
        return outcome

    async def _unauthorized(self, account: Account, authorization: Authorization) -> Retry:
        error = UpstreamFailed("The upstream does not accept the credentials of its account.")
        if account.account_id not in self._refreshed:
            self._refreshed.add(account.account_id)
            if await self._accounts.refresh(account, authorization.token_version):
                return Retry(RetryReason.REFRESHED, error, 401)
        return Retry(RetryReason.UNAUTHORIZED, error, 401)


def _row(account: Account, outcome: AttemptOutcome | None, duration_ms: int) -> AttemptRow:
    match outcome:
        case None:
            return AttemptRow(account.name, UNFINISHED, None, None, duration_ms)
        case Done(status=status):
            return AttemptRow(account.name, "done", status, None, duration_ms)
        case Retry(reason=reason, error=error, status=status):
            return AttemptRow(account.name, reason.value, status, error.code, duration_ms)
        case Failed(error=error, status=status):
            return AttemptRow(account.name, "failed", status, error.code, duration_ms)
