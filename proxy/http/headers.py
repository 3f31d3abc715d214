"""Headers: which of them travel on; those that say how much of a limit is left come from `quotad.client`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from quotad.client.limit_headers import Header, applies_to, go_duration, limit_headers, overlay

__all__ = [
    # made here
    "forwarded_headers",
    "returned_headers",
    "sane_request_id",
    "REQUEST_ID",
    "RESERVATION_ID",
    "VIA",
    # the caller's limits
    "Header",
    "applies_to",
    "go_duration",
    "limit_headers",
    "overlay",
]

VIA = "1.1 quota-proxy"
REQUEST_ID = "x-request-id"
RESERVATION_ID = "x-quota-reservation-id"

SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"}
    | {"te", "trailer", "transfer-encoding", "upgrade"}
)
CREDENTIALS = frozenset(
    {"authorization", "cookie", "x-api-key", "api-key", "chatgpt-account-id", "openai-organization", "openai-project"}
)
ADDRESSES = frozenset({"host", "forwarded", "x-real-ip", "true-client-ip", "x-client-ip", "x-cluster-client-ip"})
OF_THE_BYTES = frozenset({"content-length", "content-encoding", "accept-encoding", "expect", "via", "x-request-id"})
"""They describe one connection's bytes, or one hop's id, and are made anew."""
NOT_FORWARDED = HOP_BY_HOP | CREDENTIALS | ADDRESSES | OF_THE_BYTES
NOT_FORWARDED_PREFIXES = ("x-forwarded-", "cf-", "x-quota-", "x-envoy-")

OF_THE_SERVER = frozenset(
    {"set-cookie", "date", "server", "alt-svc", "strict-transport-security", "nel", "report-to"}
    | {"openai-organization", "openai-project"}
)
OF_THE_ACCOUNT = frozenset({"retry-after", "x-should-retry", "ratelimit", "ratelimit-policy"})
"""An upstream account's limits are not the caller's."""
NOT_RETURNED = HOP_BY_HOP | OF_THE_BYTES | OF_THE_SERVER | OF_THE_ACCOUNT
NOT_RETURNED_PREFIXES = (
    "x-ratelimit-",
    "cf-",
    "x-quota-reservation-",
    "x-codex-primary-",
    "x-codex-secondary-",
    "x-codex-credits-",
)


def forwarded_headers(headers: Iterable[Header]) -> tuple[Header, ...]:
    """What of the caller's headers goes upstream: all but credentials, addresses and what belongs to one hop."""
    return _without(headers, NOT_FORWARDED, NOT_FORWARDED_PREFIXES)


def returned_headers(headers: Iterable[Header]) -> tuple[Header, ...]:
    """What of the upstream's headers goes to the caller: all but cookies, the hop's own and the account's limits."""
    return _without(headers, NOT_RETURNED, NOT_RETURNED_PREFIXES)


def sane_request_id(given: str | None) -> str | None:
    """The caller's request id where it is safe to echo and to log."""
    return given if given and SANE_ID.fullmatch(given) else None


def _without(headers: Iterable[Header], names: frozenset[str], prefixes: tuple[str, ...]) -> tuple[Header, ...]:
    pairs = [(name.lower(), value) for name, value in headers]
    # RFC 9110, 7.6.1: a Connection field names further fields of its hop.
    of_hop = {token.strip().lower() for name, value in pairs if name == "connection" for token in value.split(",")}
    return tuple(
        (name, value)
        for name, value in pairs
        if name not in names and name not in of_hop and not name.startswith(prefixes)
    )
