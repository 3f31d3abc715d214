"""A real OpenTelemetry collector's receiving end: OTLP over gRPC on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as messages
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as services
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector(services.TraceServiceServicer):
    """Keeps every span that was exported to it."""

    def __init__(self) -> None:
        self.endpoint = ""
        self.spans: list[Span] = []
        self.services: set[str] = set()

    def Export(  # noqa: N802 - the generated base class's name
        self, request: messages.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> messages.ExportTraceServiceResponse:
        for group in request.resource_spans:
            self.services |= {
                attribute.value.string_value
                for attribute in group.resource.attributes
                if attribute.key == "service.name"
            }
            self.spans += [span for scope in group.scope_spans for span in scope.spans]
        return messages.ExportTraceServiceResponse()

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


def attributes(span: Span) -> dict[str, str]:
    return {attribute.key: attribute.value.string_value for attribute in span.attributes}


@contextmanager
def collector() -> Iterator[Collector]:
    """One that listens for the length of the block."""
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    receiving = Collector()
    services.add_TraceServiceServicer_to_server(receiving, server)  # type: ignore[no-untyped-call]
    receiving.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield receiving
    finally:
        server.stop(None).wait()
