"""Around every call: who may make it, how long it may take, how its errors are told, how it is counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import grpc
import grpc.aio
import structlog
from google.protobuf.message import DecodeError

from protos.quota.v1 import quota_pb2 as pb
from quotad.administration import TokenRole
from quotad.errors import CallerNotAllowed, InvalidRequest, QuotaError
from quotad.server import metrics
from quotad.server.tokens import TokenBook
from quotad.store.tokens import Token
from quotad.wire.errors import STATUS_METADATA, status_bytes
from quotad.wire.scalars import Malformed

if TYPE_CHECKING:  # its packages are an extra
    from quotad.server.tracing import Spans

Context = grpc.aio.ServicerContext[Any, Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic in the stubs only
Continuation: TypeAlias = "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]"

DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
HEALTH_PREFIX = "/grpc.health.v1.Health/"
ADMIN_PREFIX = "/quota.v1.AdminService/"

UNREADABLE = object()
"""Stands for a request that is no message of its call."""

CALLER: ContextVar[Token] = ContextVar("CALLER")
"""Whose token the call under way carries."""

_RPCS = {
    f"/{service.full_name}/{method.name}": method.name
    for service in pb.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
_STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}

log = structlog.get_logger(__name__)


class Authentication(grpc.aio.ServerInterceptor):
    """A token for everything but health; role `admin` for the control plane."""

    def __init__(self, tokens: TokenBook) -> None:
        self._tokens = tokens

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        method = handler_call_details.method
        if method.startswith(HEALTH_PREFIX):
            return await continuation(handler_call_details)
        try:
            caller = self._tokens.caller(handler_call_details.invocation_metadata or ())
            _require_role(caller, method)
        except QuotaError as error:
            metrics.note_call(_rpc(method), error.reason, 0.0)
            return _refusing(error)
        CALLER.set(caller)
        return await continuation(handler_call_details)


class Calls(grpc.aio.ServerInterceptor):
    """Bounds, counts and renders the calls of our own services.

    A caller that leaves, or whose deadline passes, cancels its call through gRPC: what was not written by then is not.
    """

    def __init__(self, seconds_max: float, spans: Spans | None = None) -> None:
        self._seconds_max = seconds_max
        self._spans = spans
        self._open = 0
        self._all_answered = asyncio.Event()
        self._all_answered.set()

    async def all_answered(self) -> None:
        """Until no call is under way."""
        await self._all_answered.wait()

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or method not in _RPCS:
            return handler
        if handler.unary_unary is None:
            return grpc.stream_stream_rpc_method_handler(
                self._streaming(_rpc(method), handler.stream_stream),  # type: ignore[arg-type]
                request_deserializer=_reading(handler.request_deserializer),
                response_serializer=handler.response_serializer,
            )
        behaviour = self._answering(_rpc(method), handler.unary_unary)  # type: ignore[arg-type]
        if self._spans is not None:
            behaviour = self._spans.around(method, behaviour)
        return grpc.unary_unary_rpc_method_handler(
            behaviour,
            request_deserializer=_reading(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )

    def _answering(
        self, rpc: str, behaviour: Callable[[Any, Context], Awaitable[Any]]
    ) -> Callable[[Any, Context], Awaitable[Any]]:
        async def answer(request: Any, context: Context) -> Any:
            started = time.monotonic()
            reason = "CANCELLED"
            self._opened()
            try:
                async with asyncio.timeout(self._seconds(context)) as bound:
                    response = await behaviour(_readable(request), context)
                reason = metrics.OK
                return response
            except asyncio.CancelledError:
                if context.time_remaining() == 0:
                    reason = DEADLINE_EXCEEDED
                raise
            except (QuotaError, Malformed) as raised:
                error = _told(raised)
                reason = error.reason
                await _abort(context, error)
            except Exception:  # noqa: BLE001 - logged, and told as INTERNAL
                reason = DEADLINE_EXCEEDED if bound.expired() else "INTERNAL"
                await _abort_unknown(context, rpc, expired=bound.expired())
            finally:
                metrics.note_call(rpc, reason, time.monotonic() - started)
                if self._spans is not None:
                    self._spans.note(reason)
                self._closed()

        return answer

    def _streaming(
        self, rpc: str, behaviour: Callable[[Any, Context], Awaitable[None]]
    ) -> Callable[[Any, Context], Awaitable[None]]:
        """A stream is open until it ends by itself: its own bounds see to that."""

        async def stream(requests: Any, context: Context) -> None:
            reason = "CANCELLED"
            self._opened()
            try:
                await behaviour(requests, context)
                reason = metrics.OK
            except grpc.aio.AbortError:
                reason = ""  # refused before it began, and counted there
                raise
            except QuotaError as error:
                reason = error.reason
                await _abort(context, error)
            except Exception:  # noqa: BLE001 - logged, and told as INTERNAL
                reason = "INTERNAL"
                await _abort_unknown(context, rpc, expired=False)
            finally:
                if reason:
                    metrics.note_stream(rpc, reason)
                self._closed()

        return stream

    def _opened(self) -> None:
        self._open += 1
        self._all_answered.clear()

    def _seconds(self, context: Context) -> float:
        """What the caller still gives the call, and at most our own bound."""
        left = context.time_remaining()
        return self._seconds_max if left is None else min(left, self._seconds_max)

    def _closed(self) -> None:
        self._open -= 1
        if not self._open:
            self._all_answered.set()


def _reading(deserialize: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
    """Where a deserializer raises, gRPC itself answers UNKNOWN, which says nothing definite."""
    if deserialize is None:
        return bytes

    def read(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError:
            return UNREADABLE

    return read


def _readable(request: Any) -> Any:
    if request is UNREADABLE:
        raise InvalidRequest("", "the request is not a message of this call")
    return request


def _told(raised: QuotaError | Malformed) -> QuotaError:
    return InvalidRequest(raised.field, str(raised)) if isinstance(raised, Malformed) else raised


async def _abort(context: Context, error: QuotaError) -> NoReturn:
    await context.abort(_STATUS_CODES[error.code], error.message, ((STATUS_METADATA, status_bytes(error)),))


async def _abort_unknown(context: Context, rpc: str, *, expired: bool) -> NoReturn:
    """Tell no more than that the outcome is unknown; the log has the rest."""
    if expired:
        await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the call's time is up")
    log.exception("call failed", rpc=rpc)
    await context.abort(grpc.StatusCode.INTERNAL, "internal error; see the log of quotad")


def _require_role(caller: Token, method: str) -> None:
    if method.startswith(ADMIN_PREFIX) and caller.role is not TokenRole.ADMIN:
        raise CallerNotAllowed("this call needs a token of role admin")


def _refusing(error: QuotaError) -> Handler:
    """A handler that refuses before it reads the request, whatever kind of call it is."""

    async def refuse(_requests: AsyncIterator[Any], context: Context) -> None:
        await _abort(context, error)

    return grpc.stream_stream_rpc_method_handler(refuse)


def _rpc(method: str) -> str:
    """A name of ours, or `other`: what strangers send must not make new time series."""
    return _RPCS.get(method, "other")
