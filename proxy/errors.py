"""Every reason for which the proxy does not answer a request, as one class each.

    ProxyError                        status  type                   code
    ├── InvalidApiKey                 401     invalid_request_error  invalid_api_key
    ├── BadRequest                    400     invalid_request_error  invalid_value, or a narrower one
    ├── ModelPriceUnknown             400     invalid_request_error  model_price_unknown
    ├── BodyTimeout                   408     invalid_request_error  request_timeout
    ├── BodyTooLarge                  413     invalid_request_error  request_too_large
    ├── UnsupportedEncoding           415     invalid_request_error  unsupported_content_encoding
    ├── ModelNotFound                 404     invalid_request_error  model_not_found
    ├── UnknownPath                   404     invalid_request_error  unknown_url
    ├── MethodNotAllowed              405     invalid_request_error  method_not_allowed
    ├── QuotaRefused                  429     see the class          rate_limit_exceeded, insufficient_quota
    ├── KeyBusy                       429     requests               rate_limit_exceeded
    ├── QuotaUnavailable              503     server_error           quota_unavailable
    ├── NoAccounts                    503     server_error           no_accounts
    ├── ServerBusy                    503     server_error           server_is_overloaded
    ├── InternalError                 500     server_error           internal_error
    ├── UpstreamError                         server_error
    │   ├── UpstreamFailed            502                            upstream_error
    │   ├── UpstreamTimeout           504                            upstream_timeout
    │   ├── StreamIncomplete          502                            stream_incomplete
    │   ├── UpstreamOverloaded        503                            server_is_overloaded
    │   └── UpstreamQuotaExhausted    503                            upstream_quota_exhausted
    └── UpstreamRefused               4xx     the upstream's own answer, passed on

Before the first byte of an answer an error is a status code, rendered in `proxy.http.errors`; after it, it is a
terminal event in the stream, written by the API's `proxy.dialects`. A message is safe to show to the caller: no
secrets, no addresses.
`Retry-After` is sent only where waiting helps; `x-should-retry: false` where a client must stop.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from quotad.client.types import BlockedBy, Denial, LimitStatus, Violation

WAIT_SECONDS_MAX = 120
"""A longer wait is no rate limit but a used-up budget: OpenAI's SDKs honour `Retry-After` only up to here."""

STOP = {"x-should-retry": "false"}


class ProxyError(Exception):
    """A definite answer other than success, in the words of the OpenAI error object."""

    status: int
    type: str
    code: str

    def __init__(self, message: str, *, param: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.headers: Mapping[str, str] = dict(headers or {})


class InvalidApiKey(ProxyError):
    """The key is missing, malformed, unknown, disabled, expired or deleted."""

    status = 401
    type = "invalid_request_error"
    code = "invalid_api_key"

    def __init__(self, message: str = "Incorrect API key provided.") -> None:
        super().__init__(message, headers={"WWW-Authenticate": "Bearer", **STOP})


class BadRequest(ProxyError):
    """The request cannot be read or misses something; `param` names the field."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_value"

    def __init__(self, message: str, *, param: str | None = None, code: str = "invalid_value") -> None:
        super().__init__(message, param=param)
        self.code = code


class ModelPriceUnknown(ProxyError):
    """A limit of the key counts cost, and nobody knows what the model costs."""

    status = 400
    type = "invalid_request_error"
    code = "model_price_unknown"

    def __init__(self, model: str) -> None:
        super().__init__(
            f"The price of the model '{model}' is not known here, and this API key has a limit on cost. "
            "Use another model, or ask the operator to set its price.",
            param="model",
        )


class BodyTimeout(ProxyError):
    """The body did not arrive in time."""

    status = 408
    type = "invalid_request_error"
    code = "request_timeout"


class BodyTooLarge(ProxyError):
    """The body, after decompression, is above the cap."""

    status = 413
    type = "invalid_request_error"
    code = "request_too_large"

    def __init__(self, bytes_max: int) -> None:
        super().__init__(f"The request body is larger than {bytes_max} bytes.")


class UnsupportedEncoding(ProxyError):
    """The body has a content encoding that is not accepted."""

    status = 415
    type = "invalid_request_error"
    code = "unsupported_content_encoding"


class ModelNotFound(ProxyError):
    """The model does not exist, or the key may not use it."""

    status = 404
    type = "invalid_request_error"
    code = "model_not_found"

    def __init__(self, model: str) -> None:
        super().__init__(f"The model '{model}' does not exist or you do not have access to it.", param="model")


class UnknownPath(ProxyError):
    """Nothing is served here: what is not metered is not passed through."""

    status = 404
    type = "invalid_request_error"
    code = "unknown_url"

    def __init__(self, method: str, path: str) -> None:
        super().__init__(f"Unknown request URL: {method} {path[:200]}.")


class MethodNotAllowed(ProxyError):
    """The path is served, but not with this method."""

    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"

    def __init__(self, method: str, path: str, allow: str) -> None:
        super().__init__(f"Not allowed to {method} on {path[:200]}.", headers={"Allow": allow})


class QuotaRefused(ProxyError):
    """The key's limits do not admit the request; the message names every limit in its way.

    Three kinds, told apart by what a client should do: too large for a whole limit (`tokens`, stop), waiting at most
    `WAIT_SECONDS_MAX` helps (`tokens` or `requests`, `Retry-After`), or the budget is used up (`insufficient_quota`,
    stop; `Retry-After` only where it comes back).
    """

    status = 429

    def __init__(self, denial: Denial, model: str) -> None:
        self.denial = denial
        self.wait_seconds = _wait_seconds(denial)
        self.type, self.code = _refusal_kind(denial, self.wait_seconds)
        super().__init__(_refusal_message(denial, model, self.wait_seconds), headers=self._retry_headers())

    @property
    def is_exhausted(self) -> bool:
        return self.code == "insufficient_quota"

    def _retry_headers(self) -> dict[str, str]:
        headers = STOP if self.is_exhausted or self.denial.never_fits else {}
        if self.wait_seconds is None:
            return dict(headers)
        return {"Retry-After": str(max(1, math.ceil(self.wait_seconds))), **headers}


class KeyBusy(ProxyError):
    """The key has as many requests open at this worker as one may."""

    status = 429
    type = "requests"
    code = "rate_limit_exceeded"

    def __init__(self, open_max: int) -> None:
        super().__init__(
            f"Too many requests of this API key are open at a time: at most {open_max}. Please try again in 1s.",
            headers={"Retry-After": "1"},
        )


class QuotaUnavailable(ProxyError):
    """The quota daemon cannot be asked: nothing is served unmetered."""

    status = 503
    type = "server_error"
    code = "quota_unavailable"

    def __init__(self, message: str = "The quota service is unavailable. Please try again.") -> None:
        super().__init__(message, headers={"Retry-After": "1"})


class NoAccounts(ProxyError):
    """No upstream account can serve the request; `retry_after_seconds` is when one is expected to."""

    status = 503
    type = "server_error"
    code = "no_accounts"

    def __init__(
        self,
        message: str = "No upstream account is available for this request.",
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message, headers=_retry_after(retry_after_seconds))


class ServerBusy(ProxyError):
    """A bound of this worker is reached, or it is stopping; another replica may have room."""

    status = 503
    type = "server_error"
    code = "server_is_overloaded"

    def __init__(self, message: str = "The server is busy. Please try again.") -> None:
        super().__init__(message, headers={"Retry-After": "1"})


class InternalError(ProxyError):
    """A defect of the proxy; its log has the details under the request id."""

    status = 500
    type = "server_error"
    code = "internal_error"

    def __init__(self) -> None:
        super().__init__("The server had an error while processing your request.")


class UpstreamError(ProxyError):
    """The upstream failed to serve the request, and no other account could."""

    type = "server_error"
    default_message: ClassVar[str]

    def __init__(self, message: str | None = None, retry_after_seconds: float | None = None) -> None:
        super().__init__(message or self.default_message, headers=_retry_after(retry_after_seconds))


class UpstreamFailed(UpstreamError):
    """No connection, a broken one, a 5xx, or an answer that is not the API's."""

    status = 502
    code = "upstream_error"
    default_message = "The upstream failed to answer."


class UpstreamTimeout(UpstreamError):
    """The upstream took too long."""

    status = 504
    code = "upstream_timeout"
    default_message = "The upstream did not answer in time."


class StreamIncomplete(UpstreamError):
    """The upstream ended its stream without the event that ends one."""

    status = 502
    code = "stream_incomplete"
    default_message = "The upstream's stream ended before the response was complete."


class UpstreamOverloaded(UpstreamError):
    """The upstream says that it is overloaded or limits our rate; Codex knows this code."""

    status = 503
    code = "server_is_overloaded"
    default_message = "The upstream is overloaded. Please try again later."


class UpstreamQuotaExhausted(UpstreamError):
    """The accounts' own quota is used up, which must not look like the caller's."""

    status = 503
    code = "upstream_quota_exhausted"
    default_message = "The upstream accounts have used up their quota."


class UpstreamRefused(ProxyError):
    """The upstream's own 4xx about this request; status, body and content type are passed on as they came."""

    type = "invalid_request_error"
    code = "upstream_refused"

    def __init__(self, status: int, body: bytes, content_type: str = "application/json") -> None:
        super().__init__(f"The upstream refused the request with status {status}.")
        self.status = status
        self.body = body
        self.content_type = content_type


def deciding_violation(denial: Denial) -> Violation:
    """The limit that decides what a client should do: one that never fits, else the one that frees last."""

    def rank(violation: Violation) -> tuple[bool, bool, float]:
        reset_time = violation.status.reset_time
        frees_last = math.inf if reset_time is None else reset_time.timestamp()
        return violation.never_fits, violation.blocked_by is BlockedBy.USED, frees_last

    return max(denial.violations, key=rank)


def describe_limit(status: LimitStatus) -> str:
    """A limit as a person reads it: `total_tokens per day for gpt-5*`."""
    limit = status.limit
    for_models = f" for {limit.model_pattern}" if limit.model_pattern else ""
    return f"{limit.metric} per {limit.window}{for_models}"


def _wait_seconds(denial: Denial) -> float | None:
    if denial.never_fits or denial.retry_after is None:
        return None
    return max(0.001, denial.retry_after.total_seconds())


def _refusal_kind(denial: Denial, wait_seconds: float | None) -> tuple[str, str]:
    unit = "requests" if deciding_violation(denial).status.limit.metric in ("requests", "concurrency") else "tokens"
    if denial.never_fits:
        return unit, "rate_limit_exceeded"
    if wait_seconds is None or wait_seconds > WAIT_SECONDS_MAX:
        return "insufficient_quota", "insufficient_quota"
    return unit, "rate_limit_exceeded"


def _refusal_message(denial: Denial, model: str, wait_seconds: float | None) -> str:
    limits = "; ".join(_describe_violation(violation) for violation in denial.violations)
    if denial.never_fits:
        return f"Request too large for {model} on {limits}. Waiting does not help: send a smaller request."
    if wait_seconds is None:
        return f"You exceeded your current quota for {model} on {limits}."
    if wait_seconds > WAIT_SECONDS_MAX:
        reset_time = deciding_violation(denial).status.reset_time
        when = f" It resets at {reset_time:%Y-%m-%dT%H:%M:%SZ}." if reset_time else ""
        return f"You exceeded your current quota for {model} on {limits}.{when}"
    return f"Rate limit reached for {model} on {limits}. Please try again in {wait_seconds:.3f}s."


def _describe_violation(violation: Violation) -> str:
    status = violation.status
    return (
        f"{describe_limit(status)}: Limit {status.limit.max_value}, Used {status.used}, Held {status.held}, "
        f"Requested {violation.requested}"
    )


def _retry_after(seconds: float | None) -> dict[str, str]:
    return {} if seconds is None else {"Retry-After": str(max(1, math.ceil(seconds)))}
