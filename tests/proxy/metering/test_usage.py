from __future__ import annotations

from typing import Any

import pytest

from proxy.metering.usage import Usage, read_usage, sum_usage

REPORTED = Usage(12, 30, 42, cached_input_tokens=4, reasoning_tokens=7)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        "12",
        [],
        {},
        {"input_tokens": 1},
        {"input_tokens": -1, "output_tokens": 2},
        {"input_tokens": 1.5, "output_tokens": 2},
        {"input_tokens": True, "output_tokens": 2},
        {"input_tokens": "1", "output_tokens": 2},
        {"input_tokens": 10**13, "output_tokens": 2},
    ],
)
def test_usage_that_is_missing_or_malformed_is_unknown_and_not_zero(usage: Any) -> None:
    assert read_usage(usage) is None


def test_details_and_total_may_be_missing() -> None:
    assert read_usage({"input_tokens": 3, "output_tokens": 4}) == Usage(3, 4, 7)
    odd = {"input_tokens": 3, "output_tokens": 4, "total_tokens": "x", "input_tokens_details": 5}
    assert read_usage(odd) == Usage(3, 4, 7)


def test_what_was_written_to_the_cache_is_told_apart() -> None:
    details = {"cached_tokens": 1, "cache_write_tokens": 2}
    found = read_usage({"input_tokens": 3, "output_tokens": 4, "input_tokens_details": details})
    assert found == Usage(3, 4, 7, cached_input_tokens=1, cache_write_tokens=2)


def test_what_several_attempts_reported_is_summed() -> None:
    assert sum_usage([REPORTED, Usage(1, 2, 3)]) == Usage(13, 32, 45, cached_input_tokens=4, reasoning_tokens=7)
    assert sum_usage([]) is None
