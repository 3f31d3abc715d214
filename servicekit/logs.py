"""Structured logs: JSON lines, or a readable form on a terminal. Values under secret names never get out."""

from __future__ import annotations

import logging
import re
import sys

import structlog
from stamina.instrumentation import PrometheusOnRetryHook, set_on_retry_hooks
from structlog.typing import EventDict, WrappedLogger

SECRET_NAME = re.compile(r"secret|token|password|authorization|api_key$|cookie", re.IGNORECASE)
TOKEN_COUNTS = re.compile(r"(input|output|total|cached|reasoning)_tokens$")
HIDDEN = "[hidden]"


def configure_logs(service: str, level: str = "INFO") -> None:
    """Send this process's logs, the standard library's included, to standard error."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        hide_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_rendering()))
    logging.getLogger("alembic").setLevel(logging.WARNING)  # each check of a schema version tells its context
    set_on_retry_hooks([PrometheusOnRetryHook])  # retries are counted; in an outage their lines would drown the rest
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Blank the value of every field whose name says that it is a secret; counts of tokens are none."""
    for name in event:
        if SECRET_NAME.search(name) and not TOKEN_COUNTS.search(name):
            event[name] = HIDDEN
    return event


def _rendering() -> list[structlog.typing.Processor]:
    strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if sys.stderr.isatty():
        # the renderer's own tracebacks would show local variables, secrets among them
        return [strip, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    return [strip, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
