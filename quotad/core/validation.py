"""Bounds on everything that a caller sends; whatever breaks one is an `InvalidRequest` before it is queued."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import assert_never

from quotad.core.admission import with_defaults
from quotad.core.operations import Check, Finalize, Operation, Read, Release, Renew, Reserve
from quotad.core.state import CONCURRENCY
from quotad.errors import InvalidRequest
from quotad.values import Amounts, Subject

AMOUNT_MAX = 10**12
METRICS_MAX = 16
LABELS_MAX = 16
LABEL_KEY_BYTES_MAX = 64
LABEL_VALUE_BYTES_MAX = 256
MODEL_BYTES_MAX = 256
REASON_BYTES_MAX = 256
RENEW_IDS_MAX = 1000
LEASE_MIN, LEASE_MAX = timedelta(seconds=1), timedelta(hours=24)

_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
METRIC = re.compile(r"[a-z][a-z0-9_]{0,62}")


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
        if not METRIC.fullmatch(metric):
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
