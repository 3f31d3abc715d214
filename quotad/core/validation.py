"""Bounds on everything that a caller sends; whatever breaks one is an `InvalidRequest` before it is queued."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import assert_never
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from quotad.core.admission import with_defaults
from quotad.core.keys import KeyChanges, KeyDraft, Unset
from quotad.core.operations import Check, Finalize, Operation, Read, Release, Renew, Reserve
from quotad.core.state import CONCURRENCY
from quotad.errors import InvalidRequest
from quotad.values import Amounts, Limit, Subject, Window, WindowKind

AMOUNT_MAX = 10**12
LIMIT_VALUE_MAX = 10**15
METRICS_MAX = 16
LABELS_MAX = 16
LABEL_KEY_BYTES_MAX = 64
LABEL_VALUE_BYTES_MAX = 256
MODEL_BYTES_MAX = 256
REASON_BYTES_MAX = 256
NAME_CHARACTERS_MAX = 128
RENEW_IDS_MAX = 1000
LIMITS_MAX = 64
ALLOWED_MODELS_MAX = 64
LEASE_MIN, LEASE_MAX = timedelta(seconds=1), timedelta(hours=24)
FIXED_SECONDS_MAX = 10 * 366 * 24 * 3600

_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_METRIC = re.compile(r"[a-z][a-z0-9_]{0,62}")


def check_reserve(operation: Reserve) -> None:
    check_id("reservation_id", operation.reservation_id)
    _check_request(operation)
    _check_lease(operation.lease)
    _check_labels(operation.labels)


def check_renew(operation: Renew) -> None:
    if not 1 <= len(operation.reservation_ids) <= RENEW_IDS_MAX:
        raise InvalidRequest("reservation_ids", f"give 1 to {RENEW_IDS_MAX} reservation ids")
    for reservation_id in operation.reservation_ids:
        check_id("reservation_ids", reservation_id)
    _check_lease(operation.lease)


def check_finalize(operation: Finalize) -> None:
    check_id("reservation_id", operation.reservation_id)
    _check_amounts("amounts", operation.amounts)
    _check_labels(operation.labels)
    if not operation.allow_unreserved:
        return
    _check_model(operation.model)
    if operation.scope.api_key is None and operation.scope.api_key_id is None:
        raise InvalidRequest("scope", "an unreserved charge must name the key in its scope")
    if operation.age < timedelta():
        raise InvalidRequest("age", "the age of a request cannot be negative")


def check_release(operation: Release) -> None:
    check_id("reservation_id", operation.reservation_id)
    check_text("reason", operation.reason, REASON_BYTES_MAX)


def check_operation(operation: Operation) -> None:
    match operation:
        case Reserve():
            check_reserve(operation)
        case Finalize():
            check_finalize(operation)
        case Release():
            check_release(operation)
        case Renew():
            check_renew(operation)
        case Read():
            check_id("reservation_id", operation.reservation_id)
        case _:
            assert_never(operation)


def check_whether(operation: Check) -> None:
    _check_request(operation)
    check_subject(operation.subject)


def check_subject(subject: Subject) -> None:
    if subject.api_key_id is not None:
        check_id("api_key_id", subject.api_key_id)


def check_id(field: str, value: str) -> None:
    if not _ID.fullmatch(value):
        raise InvalidRequest(field, f"{field} must match [A-Za-z0-9._:-]{{1,128}}")


def check_text(field: str, value: str, bytes_max: int) -> None:
    if len(value.encode()) > bytes_max:
        raise InvalidRequest(field, f"at most {bytes_max} bytes")
    if "\0" in value:
        raise InvalidRequest(field, "NUL is not allowed")


def check_key_draft(draft: KeyDraft) -> None:
    _check_key_fields(draft.name, draft.allowed_models, draft.limits)


def check_key_changes(changes: KeyChanges) -> None:
    name = "unchanged" if isinstance(changes.name, Unset) else changes.name
    allowed_models = () if isinstance(changes.allowed_models, Unset) else changes.allowed_models
    limits = () if isinstance(changes.limits, Unset) else changes.limits
    _check_key_fields(name, allowed_models, limits)


def _check_key_fields(name: str, allowed_models: tuple[str, ...], limits: tuple[Limit, ...]) -> None:
    if not 1 <= len(name.strip()) <= len(name) <= NAME_CHARACTERS_MAX:
        raise InvalidRequest("api_key.name", f"a key's name has 1 to {NAME_CHARACTERS_MAX} characters")
    if "\0" in name:
        raise InvalidRequest("api_key.name", "a key's name cannot contain NUL")
    if len(allowed_models) > ALLOWED_MODELS_MAX:
        raise InvalidRequest("api_key.allowed_models", f"at most {ALLOWED_MODELS_MAX} models")
    for pattern in allowed_models:
        _check_pattern("api_key.allowed_models", pattern)
    if len(limits) > LIMITS_MAX:
        raise InvalidRequest("api_key.limits", f"at most {LIMITS_MAX} limits")
    for limit in limits:
        _check_limit(limit)
    identities = [(limit.metric, limit.window, limit.model_pattern) for limit in limits]
    if len(set(identities)) != len(identities):
        raise InvalidRequest("api_key.limits", "two limits have the same metric, window and model pattern")


def _check_limit(limit: Limit) -> None:
    if not _METRIC.fullmatch(limit.metric):
        raise InvalidRequest("api_key.limits.metric", "a metric must match [a-z][a-z0-9_]{0,62}")
    if not 0 <= limit.max_value <= LIMIT_VALUE_MAX:
        raise InvalidRequest("api_key.limits.max_value", "a limit's max_value is 0 to 10^15")
    if limit.metric == CONCURRENCY and limit.window.kind is not WindowKind.LIFETIME:
        raise InvalidRequest("api_key.limits.window", "a concurrency limit has the window lifetime")
    if limit.model_pattern:
        _check_pattern("api_key.limits.model_pattern", limit.model_pattern)
    _check_window(limit.window)


def _check_window(window: Window) -> None:
    if window.kind is WindowKind.FIXED:
        if not 1 <= window.seconds <= FIXED_SECONDS_MAX:
            raise InvalidRequest("api_key.limits.window.seconds", "a fixed window has 1 second to 10 years")
    elif window.seconds:
        raise InvalidRequest("api_key.limits.window.seconds", "only a fixed window has seconds")
    try:
        ZoneInfo(window.time_zone)
    except (ValueError, OSError, ZoneInfoNotFoundError) as exc:
        raise InvalidRequest("api_key.limits.window.time_zone", "an IANA time zone such as Europe/Paris") from exc


def _check_pattern(field: str, pattern: str) -> None:
    check_text(field, pattern, MODEL_BYTES_MAX)
    if not pattern or "*" in pattern[:-1]:
        raise InvalidRequest(field, "a model pattern is an exact name, or a prefix followed by *")


def _check_request(operation: Reserve | Check) -> None:
    _check_model(operation.model)
    _check_amounts("amounts", operation.amounts)
    if operation.amounts.get(CONCURRENCY, 1) != 1:
        raise InvalidRequest("amounts.concurrency", "a request is one request: concurrency must be 1")
    if operation.min_amounts:
        _check_amounts("min_amounts", operation.min_amounts)
        _check_minimums(with_defaults(operation.amounts), operation.min_amounts)


def _check_minimums(amounts: Amounts, minimums: Amounts) -> None:
    for metric, minimum in minimums.items():
        if metric not in amounts:
            raise InvalidRequest(f"min_amounts.{metric}", f"{metric} has a minimum but no amount")
        if minimum > amounts[metric]:
            raise InvalidRequest(f"min_amounts.{metric}", f"the minimum of {metric} is above its amount")


def _check_amounts(field: str, amounts: Amounts) -> None:
    if len(amounts) > METRICS_MAX:
        raise InvalidRequest(field, f"at most {METRICS_MAX} metrics")
    for metric, amount in amounts.items():
        if not _METRIC.fullmatch(metric):
            raise InvalidRequest(field, "a metric must match [a-z][a-z0-9_]{0,62}")
        if not 0 <= amount <= AMOUNT_MAX:
            raise InvalidRequest(f"{field}.{metric}", "an amount is 0 to 10^12")


def _check_lease(lease: timedelta | None) -> None:
    if lease is not None and not LEASE_MIN <= lease <= LEASE_MAX:
        raise InvalidRequest("lease", "a lease is 1 second to 24 hours")


def _check_model(model: str) -> None:
    check_text("model", model, MODEL_BYTES_MAX)


def _check_labels(labels: Mapping[str, str]) -> None:
    if len(labels) > LABELS_MAX:
        raise InvalidRequest("labels", f"at most {LABELS_MAX} labels")
    for key, value in labels.items():
        check_text("labels", key, LABEL_KEY_BYTES_MAX)
        check_text(f"labels.{key}", value, LABEL_VALUE_BYTES_MAX)
