"""Spans of calls, as an OpenTelemetry collector receives them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import grpc.aio
import pytest
from opentelemetry.sdk.trace import TracerProvider

from protos.quota.v1 import quota_pb2 as pb
from protos.quota.v1 import quota_pb2_grpc as rpc
from quotad import errors as e
from quotad.client import OutcomeUnknown
from tests.support.collector import Collector, attributes, collector
from tests.support.daemons import DATA_TOKEN, limit, quotad

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"
ERROR = 2


@pytest.fixture
def collecting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collector() as receiving:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiving.endpoint)
        yield receiving


async def test_a_span_continues_the_callers_trace_whatever_the_language(
    database_url: str, collecting: Collector
) -> None:
    metadata = (("authorization", f"Bearer {DATA_TOKEN}"), ("traceparent", f"00-{TRACE_ID}-{SPAN_ID}-01"))
    async with quotad(database_url) as daemon, grpc.aio.insecure_channel(daemon.address) as channel:
        key = await daemon.create_key()
        request = pb.DescribeKeyRequest(api_key=key.secret)
        await rpc.QuotaServiceStub(channel).DescribeKey(request, metadata=metadata)
    (span,) = collecting.named("quota.v1.QuotaService/DescribeKey")
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE_ID, SPAN_ID)
    assert attributes(span) == {
        "rpc.system": "grpc",
        "rpc.service": "quota.v1.QuotaService",
        "rpc.method": "DescribeKey",
        "quota.reason": "OK",
    }
    assert collecting.services == {"quotad"}
    told = "".join(str(span) for span in collecting.spans)
    assert key.secret not in told
    assert DATA_TOKEN not in told


async def test_a_refusal_is_told_and_is_no_failure(database_url: str, collecting: Collector) -> None:
    async with quotad(database_url) as daemon:
        key = await daemon.create_key(limit(max_value=1))
        async with daemon.data(coalesce=False) as client:
            with pytest.raises(e.RequestExceedsLimit):
                await client.reserve("one", api_key=key.secret, model="m", amounts={"total_tokens": 2})
    (span,) = collecting.named("quota.v1.QuotaService/Reserve")
    assert attributes(span)["quota.reason"] == "REQUEST_EXCEEDS_LIMIT"
    assert span.status.code != ERROR


async def test_a_defect_marks_its_span(database_url: str, collecting: Collector) -> None:
    async with quotad(database_url) as daemon:
        await daemon.execute("DROP TABLE quotad.api_key_tenants")
        async with daemon.data(coalesce=False) as client:
            with pytest.raises(OutcomeUnknown):
                await client.describe_key(api_key_id="k")
    (span,) = collecting.named("quota.v1.QuotaService/DescribeKey")
    assert (attributes(span)["quota.reason"], span.status.code) == ("INTERNAL", ERROR)
    assert len(span.events) == 0


async def test_the_client_hands_the_current_span_on(database_url: str, collecting: Collector) -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")
    async with quotad(database_url) as daemon:
        key = await daemon.create_key()
        async with daemon.data(coalesce=False) as client:
            with tracer.start_as_current_span("caller") as caller:
                await client.describe_key(api_key=key.secret)
    (span,) = collecting.named("quota.v1.QuotaService/DescribeKey")
    assert span.trace_id.hex() == f"{caller.get_span_context().trace_id:032x}"
    assert span.parent_span_id.hex() == f"{caller.get_span_context().span_id:016x}"


async def test_what_is_asked_in_a_recorded_span_still_travels_in_shared_messages(
    database_url: str, collecting: Collector
) -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")
    async with quotad(database_url) as daemon:
        key = await daemon.create_key()
        async with daemon.data() as client:
            with tracer.start_as_current_span("caller"):
                await client.describe_key(api_key=key.secret)
    assert collecting.named("quota.v1.QuotaService/DescribeKey") == []


async def test_a_collector_that_is_away_holds_nothing_up(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    async with quotad(database_url) as daemon:
        await daemon.create_key()
        began = time.monotonic()
    assert time.monotonic() - began < 6


def test_without_an_endpoint_nothing_of_it_is_imported() -> None:
    program = (
        "import sys, quotad.cli, quotad.client; "
        "sys.exit(any(name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter')) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=30).returncode == 0
