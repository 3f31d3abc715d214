from __future__ import annotations

from datetime import timedelta

import pytest
from google.protobuf.any_pb2 import Any
from google.rpc.code_pb2 import Code as RpcCode
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, QuotaFailure, RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from quotad import errors as e
from quotad.values import Denial, Reservation
from quotad.wire.errors import _CLASSES, error_message, read_error, read_status_bytes, status_bytes
from quotad.wire.scalars import Malformed
from tests.quotad.wire import strategies

PLAIN: list[type[e.QuotaError]] = [
    e.ReservationIdReused,
    e.ReservationNotFound,
    e.TooOld,
    e.ApiKeyUnknown,
    e.ApiKeyDisabled,
    e.ModelNotAllowed,
    e.CallerUnauthenticated,
    e.CallerNotAllowed,
    e.GroupTreeInvalid,
    e.GroupNotEmpty,
    e.EtagMismatch,
    e.ResourceNotFound,
    e.DeadlinePassed,
]
CONFLICTS: list[type[e.ReservationConflict]] = [e.FinalizeMismatch, e.ReservationFenced, e.ReservationNotOpen]


def details(error: e.QuotaError, kind: type) -> list:  # type: ignore[type-arg]
    status = Status.FromString(status_bytes(error))
    found = [kind.FromString(detail.value) for detail in status.details if detail.Is(kind.DESCRIPTOR)]  # type: ignore[attr-defined]
    assert status.code == error.code
    return found


@pytest.mark.parametrize("cls", PLAIN)
def test_an_error_survives_the_wire(cls: type[e.QuotaError]) -> None:
    error = read_status_bytes(status_bytes(cls("why", metadata={"fields": "model"})))
    assert type(error) is cls
    assert (error.message, error.metadata) == ("why", {"fields": "model"})


@pytest.mark.parametrize("cls", CONFLICTS)
@given(reservation=st.none() | strategies.reservations)
def test_a_conflict_carries_the_reservation_that_stands(
    cls: type[e.ReservationConflict], reservation: Reservation | None
) -> None:
    error = read_error(error_message(cls("why", reservation)))
    assert isinstance(error, cls)
    assert error.reservation == reservation


@pytest.mark.parametrize("cls", [e.QuotaExceeded, e.RequestExceedsLimit])
@given(denial=strategies.denials)
def test_a_refusal_names_every_limit_in_its_way(cls: type[e.Refused], denial: Denial) -> None:
    """B7: the caller learns every violated limit, when it frees, and whether it can ever fit."""
    error = read_status_bytes(status_bytes(cls("why", denial)))
    assert isinstance(error, cls)
    assert error.denial == denial


@given(strategies.denials)
def test_a_refusal_speaks_googles_words_too(denial: Denial) -> None:
    error = e.QuotaExceeded("why", denial)
    (failure,) = details(error, QuotaFailure)
    assert [item.quota_metric for item in failure.violations] == [
        item.status.limit.metric for item in denial.violations
    ]
    waits = [info.retry_delay.ToTimedelta() for info in details(error, RetryInfo)]
    assert waits == ([] if denial.retry_after is None else [denial.retry_after])


@pytest.mark.parametrize("cls", [e.StoreUnavailable, e.Overloaded])
def test_an_unavailable_ledger_says_when_to_come_back(cls: type[e.Unavailable]) -> None:
    error = read_status_bytes(status_bytes(cls("away", timedelta(milliseconds=250))))
    assert isinstance(error, cls)
    assert error.retry_after == timedelta(milliseconds=250)


def test_a_bad_field_is_named() -> None:
    error = e.InvalidRequest("amounts[requests]", "is negative")
    (bad,) = details(error, BadRequest)
    assert bad.field_violations[0].field == "amounts[requests]"
    again = read_status_bytes(status_bytes(error))
    assert isinstance(again, e.InvalidRequest)
    assert (again.field, again.message) == ("amounts[requests]", "is negative")


def test_every_reason_is_read_back() -> None:
    plain, conflicts = {cls.reason for cls in PLAIN}, {cls.reason for cls in CONFLICTS}
    known = (
        plain
        | conflicts
        | {
            "INVALID_REQUEST",
            "QUOTA_EXCEEDED",
            "REQUEST_EXCEEDS_LIMIT",
            "STORE_UNAVAILABLE",
            "OVERLOADED",
        }
    )
    assert set(_CLASSES) == known


def test_every_code_has_googles_number() -> None:
    assert {code.name: code.value for code in e.Code} == {code.name: RpcCode.Value(code.name) for code in e.Code}


def test_another_systems_status_is_no_answer_of_the_ledger() -> None:
    info = ErrorInfo(reason="QUOTA_EXCEEDED", domain="example.com")
    packed = Any()
    packed.Pack(info)
    assert read_status_bytes(Status(code=8, details=[packed]).SerializeToString()) is None
    assert read_status_bytes(b"") is None


def test_a_broken_status_is_malformed() -> None:
    with pytest.raises(Malformed):
        read_status_bytes(b"\xff\xff\xff")
