from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from proxy.bursts import Bursts, network
from proxy.records.request_logs import RequestLogRow
from tests.proxy.records.rows import START, a_row


def bursts(refusals: int = 10, addresses: int = 100) -> Bursts:
    return Bursts(refusals_per_second_max=refusals, addresses_max=addresses)


def refused(second: float = 0, **changes: Any) -> RequestLogRow:
    given = {"status": "rate_limit", "denial": {"limits": []}, "limit_id": "limit-1"} | changes
    return a_row(start_time=START + timedelta(seconds=second), **given)


def unknown(address: str | None, second: float = 0) -> RequestLogRow:
    return a_row(
        start_time=START + timedelta(seconds=second),
        status="error",
        error_code="invalid_api_key",
        api_key_id=None,
        client_address=address,
    )


def written(burst: Bursts, rows: Iterable[RequestLogRow]) -> list[RequestLogRow]:
    """What the log holds in the end."""
    log: dict[str, RequestLogRow] = {}
    for row in rows:
        joined = burst.joined(row)
        assert joined.count >= log.get(joined.request_log_id, joined).count
        log[joined.request_log_id] = joined
    return list(log.values())


def counts(rows: Iterable[RequestLogRow]) -> list[int]:
    return [row.count for row in rows]


def test_ten_refusals_of_a_key_in_a_second_are_rows_and_the_others_share_one() -> None:
    rows = [refused() for _ in range(35)]
    log = written(bursts(), rows)
    assert counts(log) == [1] * 10 + [25]
    assert log[10] == replace(rows[10], count=25)


def test_each_limit_that_refuses_has_a_shared_row() -> None:
    log = written(bursts(refusals=0), [refused(limit_id=f"limit-{number % 2}") for number in range(10)])
    assert [(row.limit_id, row.count) for row in log] == [("limit-0", 5), ("limit-1", 5)]


def test_keys_and_seconds_are_told_apart() -> None:
    rows = [refused(second, api_key_id=key) for second in (0, 0.9, 1) for key in ("a", "b")]
    assert counts(written(bursts(refusals=1), rows)) == [1] * 6
    again = written(bursts(refusals=1), [*rows, refused(0.5, api_key_id="a"), refused(0.6, api_key_id="a")])
    assert sorted(counts(again)) == [1, 1, 1, 1, 1, 3]


def test_requests_that_are_not_refused_are_never_joined() -> None:
    rows = [a_row(), *(a_row(status="error", error_code="upstream_error", api_key_id=None) for _ in range(50))]
    assert written(bursts(refusals=0), rows) == rows


def test_an_address_that_tries_keys_has_one_row_a_minute() -> None:
    rows = [unknown("10.0.0.1", second) for second in (0, 1, 59, 60, 61)] + [unknown("10.0.0.2", 61)]
    assert counts(written(bursts(), rows)) == [3, 2, 1]


def test_addresses_beyond_the_bound_share_a_row_without_an_address() -> None:
    log = written(bursts(addresses=3), [unknown(f"10.0.0.{number}") for number in range(10)] * 2)
    assert [(row.client_address, row.count) for row in log] == [
        ("10.0.0.0", 2),
        ("10.0.0.1", 2),
        ("10.0.0.2", 2),
        (None, 14),
    ]


def test_what_is_remembered_is_bounded_in_time() -> None:
    burst = bursts(refusals=0)
    written(burst, [refused(second) for second in range(1_000)])
    written(burst, [unknown("10.0.0.1", 60 * minute) for minute in range(100)])
    assert (len(burst._seconds), len(burst._minutes)) == (11, 2)


@pytest.mark.parametrize(
    ("address", "whose"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1%eth0", "2001:db8:1:2::/64"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("not an address", "not an address"),
        ("", ""),
        (None, None),
    ],
)
def test_an_ipv6_caller_is_its_network(address: str | None, whose: str | None) -> None:
    assert network(address) == whose
