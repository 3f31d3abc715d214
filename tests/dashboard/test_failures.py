"""quotad's refusals in the dashboard's words, and a database that goes away."""

from __future__ import annotations

from dataclasses import replace

import grpc
import pytest

from dashboard.edit_errors import EtagMismatch
from dashboard.errors import (
    DashboardError,
    DatabaseUnavailable,
    InternalError,
    InvalidInput,
    QuotadUnavailable,
    ResourceNotFound,
)
from dashboard.failures import from_quotad, page_field, shown
from quotad import errors
from quotad.client.types import OutcomeUnknown
from tests.dashboard.world import Dashboard, code_of


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.InvalidRequest("api_key.name", "no"), InvalidInput),
        (errors.EtagMismatch("no"), EtagMismatch),
        (errors.ResourceNotFound("no"), ResourceNotFound),
        (errors.StoreUnavailable("no"), QuotadUnavailable),
        (errors.Overloaded("no"), QuotadUnavailable),
        (errors.CallerUnauthenticated("no"), QuotadUnavailable),
        (errors.CallerNotAllowed("no"), QuotadUnavailable),
        (errors.TooOld("no"), InternalError),
        (OutcomeUnknown(grpc.StatusCode.UNKNOWN, "no"), QuotadUnavailable),
    ],
)
def test_every_refusal_of_quotad_has_one_of_ours(
    error: errors.QuotaError | OutcomeUnknown, kind: type[DashboardError]
) -> None:
    assert type(from_quotad(error)) is kind


@pytest.mark.parametrize(
    ("field", "spelled"),
    [("api_key.limits.max_value", "limits.maxValue"), ("page_token", "pageToken"), ("", "")],
)
def test_fields_are_spelled_as_the_api_spells(field: str, spelled: str) -> None:
    assert page_field(field) == spelled


def test_a_quoted_text_is_cut_and_can_always_be_sent() -> None:
    assert len(shown("\ud800" * 1000).encode()) == 500


async def test_a_database_that_is_away_is_told_as_such_and_found_again(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator, dashboard.client() as stranger:
        async with dashboard.database_away():
            for client, path in ((operator, "/api/accounts"), (stranger, "/api/auth/session")):
                answer = await client.get(path)
                assert code_of(answer) == (503, "database_unavailable")
                assert answer.headers["retry-after"] == "2"
            assert (await stranger.get("/healthz")).status_code == 200
        assert (await operator.get("/api/accounts")).status_code == 200


async def test_a_transaction_that_takes_too_long_is_given_up(dashboard: Dashboard) -> None:
    hurried = replace(dashboard.services.database, seconds_max=0.05)
    with pytest.raises(DatabaseUnavailable):
        async with hurried.transaction() as connection:
            await connection.exec_driver_sql("SELECT pg_sleep(5)")
