"""The caller's trace, handed on to the daemon.

A program that has not imported OpenTelemetry itself has no current span, and pays one look-up for that.
"""

from __future__ import annotations

import sys


def trace_metadata() -> tuple[tuple[str, str], ...]:
    """W3C `traceparent`, and `tracestate` if any, of the current span; nothing where there is none."""
    if "opentelemetry.trace" not in sys.modules:
        return ()
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415 - imported already, or not at all

    headers: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(headers)
    return tuple(headers.items())
