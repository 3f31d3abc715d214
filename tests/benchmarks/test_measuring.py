"""Percentiles and what one load tells another process."""

from __future__ import annotations

from benchmarks.ledger.measuring import latency
from benchmarks.ledger.spec import Driver, KeySet, Latency, LoadResult, LoadSpec, Work


def test_percentiles_are_values_that_were_measured() -> None:
    assert latency([n / 1_000 for n in range(100, 0, -1)]) == Latency(p50=50.0, p99=99.0, max=100.0)
    assert latency([0.002]) == Latency(p50=2.0, p99=2.0, max=2.0)
    assert latency([]) is None


def test_a_spec_and_a_result_survive_the_pipe() -> None:
    spec = LoadSpec(Driver.UNARY, "127.0.0.1:1", KeySet("k-", 7, 3), Work.RACE, watched={"server": 1})
    assert LoadSpec.from_json(spec.to_json()) == spec
    result = LoadResult(1.5, pairs=3, admitted=(1, 2), reserve=Latency(1.0, 2.0, 3.0), cpu_seconds={"client": 0.5})
    assert LoadResult.from_json(result.to_json()) == result


def test_keys_are_spread_over_their_tenants() -> None:
    keys = KeySet("k-", count=6, tenants=3)
    assert [keys.api_key_id(number) for number in (0, 5, 6)] == ["k-0", "k-5", "k-0"]
    assert [keys.tenant_id(number) for number in (0, 5, 6)] == ["tenant-0", "tenant-2", "tenant-0"]
    assert KeySet("k-").tenant_id(9) == "default"
