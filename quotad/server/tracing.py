"""A span for each unary call, sent to an OpenTelemetry collector; it continues the caller's trace.

Nothing of this is imported unless `OTEL_EXPORTER_OTLP_ENDPOINT` is set. The other `OTEL_*` variables mean what the
SDK says: sampling, headers, resource. Spans name the RPC and the reason of its answer, never a key, token or amount.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

Context = grpc.aio.ServicerContext[Any, Any]
Behaviour = Callable[[Any, Context], Awaitable[Any]]

EXPORT_SECONDS_MAX = 5
"""One batch, unless OTEL_EXPORTER_OTLP_TIMEOUT says otherwise."""
FLUSH_SECONDS_MAX = 2.0
"""What the last spans get at a stop: they are worth less than a stop in time."""
FAILURES = frozenset({"INTERNAL", "DEADLINE_EXCEEDED", "STORE_UNAVAILABLE", "OVERLOADED"})
"""Reasons that mark a span as failed; a refusal is an answer like any other."""

_PROPAGATOR = TraceContextTextMapPropagator()  # no baggage: it may carry what no span of ours should


class Spans:
    """Makes the spans of one daemon."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def around(self, method: str, behaviour: Behaviour) -> Behaviour:
        """`behaviour` of the method `/package.Service/Rpc`, in a span that is current while it runs."""
        _, service, rpc = method.split("/")
        attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": rpc}

        async def spanned(request: Any, context: Context) -> Any:
            with self._tracer.start_as_current_span(
                f"{service}/{rpc}",
                context=_PROPAGATOR.extract(_trace_headers(context)),
                kind=trace.SpanKind.SERVER,
                attributes=attributes,
                record_exception=False,  # an exception's text may name what a caller has sent
                set_status_on_exception=False,
            ):
                return await behaviour(request, context)

        return spanned

    def note(self, reason: str) -> None:
        """Tell the current span how its call was answered."""
        span = trace.get_current_span()
        span.set_attribute("quota.reason", reason)
        if reason in FAILURES:
            span.set_status(trace.StatusCode.ERROR, reason)


@asynccontextmanager
async def exporting() -> AsyncIterator[Spans]:
    """Send spans for the length of the block, and what is left of them, for a bounded time, at its end."""
    own = Resource({SERVICE_NAME: "quotad"})
    provider = TracerProvider(resource=own.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
    timeout = None if "OTEL_EXPORTER_OTLP_TIMEOUT" in os.environ else EXPORT_SECONDS_MAX
    exporter = OTLPSpanExporter(timeout=timeout)
    processor = BatchSpanProcessor(exporter)
    provider.add_span_processor(processor)
    try:
        yield Spans(provider.get_tracer("quotad"))
    finally:
        flushing = asyncio.create_task(asyncio.to_thread(processor.shutdown))
        await asyncio.wait((flushing,), timeout=FLUSH_SECONDS_MAX)
        if not flushing.done():
            exporter.shutdown()  # gives up what is left
        await flushing


def _trace_headers(context: Context) -> dict[str, str]:
    return {
        name: value
        for name, value in context.invocation_metadata() or ()
        if name in ("traceparent", "tracestate") and isinstance(value, str)
    }
