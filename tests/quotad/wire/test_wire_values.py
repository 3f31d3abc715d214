from __future__ import annotations

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given

from protos.quota.v1 import quota_pb2 as pb
from quotad import administration as a
from quotad import values as v
from quotad.wire.groups import group_description_message, read_group_description
from quotad.wire.keys import description_message, read_description
from quotad.wire.limits import (
    denial_message,
    limit_message,
    read_denial,
    read_limit,
    read_status,
    status_message,
)
from quotad.wire.reservations import (
    read_reservation,
    read_scope,
    read_subject,
    reservation_message,
    scope_message,
)
from quotad.wire.scalars import (
    BASES,
    BLOCKED_BY,
    ENFORCEMENTS,
    LIMITS_VIEWS,
    ON_MISSING_USAGE,
    ON_QUOTAD_UNAVAILABLE,
    ON_UNKNOWN_PRICE,
    RESERVATION_STATES,
    TOKEN_ROLES,
    WINDOW_KINDS,
    Malformed,
    Words,
    read_duration,
    read_time,
)
from quotad.wire.tokens import audit_entry_message, read_audit_entry, read_token, token_message
from tests.quotad.wire import strategies

WORDS: list[Words] = [  # type: ignore[type-arg]
    BASES,
    BLOCKED_BY,
    ENFORCEMENTS,
    LIMITS_VIEWS,
    ON_MISSING_USAGE,
    ON_QUOTAD_UNAVAILABLE,
    ON_UNKNOWN_PRICE,
    RESERVATION_STATES,
    TOKEN_ROLES,
    WINDOW_KINDS,
]


@given(strategies.reservations)
def test_a_reservation_survives_the_wire(reservation: v.Reservation) -> None:
    data = reservation_message(reservation).SerializeToString()
    assert read_reservation(pb.Reservation.FromString(data)) == reservation


@given(strategies.limits)
def test_a_limit_survives_the_wire(limit: v.Limit) -> None:
    assert read_limit(limit_message(limit)) == limit


@given(strategies.statuses)
def test_a_limit_status_survives_the_wire(status: v.LimitStatus) -> None:
    assert read_status(status_message(status)) == status


@given(strategies.denials)
def test_a_denial_survives_the_wire(denial: v.Denial) -> None:
    assert read_denial(denial_message(denial)) == denial


@given(strategies.descriptions)
def test_a_key_with_its_groups_and_limits_survives_the_wire(description: v.KeyDescription) -> None:
    assert read_description(description_message(pb.GetApiKeyResponse, description)) == description


@given(strategies.group_descriptions)
def test_a_group_with_its_limits_survives_the_wire(description: a.GroupDescription) -> None:
    assert read_group_description(group_description_message(pb.GetGroupResponse, description)) == description


@given(strategies.tokens)
def test_a_service_token_survives_the_wire(token: a.ServiceToken) -> None:
    assert read_token(token_message(token)) == token


@given(strategies.audit_entries)
def test_an_audit_entry_survives_the_wire(entry: a.AuditEntry) -> None:
    assert read_audit_entry(audit_entry_message(entry)) == entry


@pytest.mark.parametrize(
    "scope",
    [v.Scope(), v.Scope(tenant_id="blue"), v.Scope(api_key="secret"), v.Scope(api_key_id="key"), v.Scope(tenant_id="")],
)
def test_a_scope_survives_the_wire(scope: v.Scope) -> None:
    assert read_scope(scope_message(scope) or pb.Scope()) == scope


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words.prefix)
def test_every_enum_has_the_same_words_on_the_wire(words: Words) -> None:  # type: ignore[type-arg]
    spoken = {words.prefix + word.name for word in words.enum}
    assert spoken | {words.prefix + "UNSPECIFIED"} == set(words.numbers.keys())


def test_a_subject_is_required() -> None:
    with pytest.raises(Malformed, match="subject is required"):
        read_subject(pb.ReserveRequest())


def test_a_window_without_a_kind_names_its_field() -> None:
    with pytest.raises(Malformed) as malformed:
        read_limit(pb.Limit(metric="requests"), "api_key.limits[2]")
    assert malformed.value.field == "api_key.limits[2].window.kind"


def test_an_enum_number_that_nobody_knows_names_its_field() -> None:
    message = pb.FinalizeRequest.FromString(b"\x20\x63")  # basis = 99
    with pytest.raises(Malformed, match="basis has no value 99"):
        BASES.read(message, "basis")


@pytest.mark.parametrize(
    "lease", [Duration(seconds=2**62), Duration(seconds=1, nanos=2 * 10**9), Duration(seconds=1, nanos=-1)]
)
def test_a_duration_outside_the_contract_names_its_field(lease: Duration) -> None:
    with pytest.raises(Malformed, match="lease is not a valid duration"):
        read_duration(pb.ReserveRequest(lease=lease), "lease")


@pytest.mark.parametrize("time", [Timestamp(seconds=2**62), Timestamp(nanos=-1), Timestamp(nanos=10**9)])
def test_a_time_outside_the_contract_names_its_field(time: Timestamp) -> None:
    with pytest.raises(Malformed, match=r"api_key\.expire_time is not a valid time"):
        read_time(pb.ApiKey(expire_time=time), "expire_time", "api_key")
