"""Request-log rows for requests refused before they had a task: bounded, because they cost a caller nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from prometheus_client import Counter
from uuid_utils import uuid7

from proxy.errors import InvalidApiKey, ProxyError
from proxy.http.context import RequestContext
from proxy.records.request_logs import RequestLogRow
from proxy.request_log import RequestLogWriter

rejections = Counter("proxy_rejections", "Requests refused before anything was reserved for them.", ["code"])


class Rejections:
    """Notes each refused request once, at most `per_second_max` rows a second.

    `clock` is monotonic, in seconds.
    """

    def __init__(self, request_log: RequestLogWriter, clock: Callable[[], float], *, per_second_max: int) -> None:
        self._request_log = request_log
        self._clock = clock
        self._per_second_max = per_second_max
        self._second = 0
        self._noted = 0

    def note(self, context: RequestContext, error: ProxyError) -> None:
        """Beyond the bound a request is only counted; those with an unknown key share rows and need no bound."""
        rejections.labels(error.code).inc()
        if isinstance(error, InvalidApiKey) and context.key is None:
            self._request_log.note(rejection_row(context, error, datetime.now(UTC)))
            return
        second = int(self._clock())
        if second != self._second:
            self._second, self._noted = second, 0
        if self._noted < self._per_second_max:
            self._noted += 1
            self._request_log.note(rejection_row(context, error, datetime.now(UTC)))


def rejection_row(context: RequestContext, error: ProxyError, now: datetime) -> RequestLogRow:
    """A row that says who was refused and why; nothing was held, so nothing is settled."""
    key = context.key.api_key if context.key else None
    return RequestLogRow(
        request_log_id=str(uuid7()),
        request_id=context.request_id,
        reservation_id=None,
        tenant_id=key.tenant_id if key else None,
        api_key_id=key.api_key_id if key else None,
        api_key_name=key.name if key else None,
        account_id=None,
        account_name=None,
        path=context.path,
        model=context.model,
        stream=context.stream,
        status="error",
        http_status=error.status,
        error_code=error.code,
        error_message=error.message,
        input_tokens=None,
        cached_input_tokens=None,
        output_tokens=None,
        reasoning_tokens=None,
        total_tokens=None,
        basis=None,
        settlement="none",
        attempts=(),
        start_time=context.start_time,
        first_byte_ms=None,
        duration_ms=max(0, round((now - context.start_time).total_seconds() * 1000)),
        client_address=context.client_address,
        user_agent=context.user_agent,
        denial=None,
        retry_count=context.retry_count,
    )
