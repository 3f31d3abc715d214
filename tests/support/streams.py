"""A relay for `Exchange` streams on a real socket: it keeps every message, and loses what a test wants lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import Enum
from typing import Any

import grpc
import grpc.aio

from protos.quota.v1 import quota_pb2 as pb
from protos.quota.v1 import quota_pb2_grpc as rpc

Context = grpc.aio.ServicerContext[Any, Any]
Call = grpc.aio.StreamStreamCall[Any, Any]


class Fate(Enum):
    """What becomes of a message; a lost one ends its stream."""

    ANSWERED = "answered"
    REQUEST_LOST = "request lost"
    ANSWER_LOST = "answer lost"


class StreamRelay:
    """Between a client and a daemon; `fate` decides about each message."""

    def __init__(self, daemon: grpc.aio.Channel) -> None:
        self.address = ""
        self.messages: list[pb.ExchangeRequest] = []
        self.streams = 0
        self.fate: Callable[[pb.ExchangeRequest], Fate] = lambda message: Fate.ANSWERED
        self.results_max: int | None = None
        """More results of an answer are dropped, as no daemon does."""
        self._daemon = rpc.QuotaServiceStub(daemon)

    def operations(self, reservation_id: str) -> list[str]:
        """The kinds of the operations on one id, in the order in which they were asked."""
        kinds: list[str] = []
        for message in self.messages:
            for operation in message.operations:
                kind = operation.WhichOneof("operation") or ""
                if getattr(getattr(operation, kind), "reservation_id", "") == reservation_id:
                    kinds.append(kind)
        return kinds

    def handler(self) -> grpc.GenericRpcHandler:
        exchange = grpc.stream_stream_rpc_method_handler(
            self._exchange,
            request_deserializer=pb.ExchangeRequest.FromString,
            response_serializer=pb.ExchangeResponse.SerializeToString,
        )
        return grpc.method_handlers_generic_handler("quota.v1.QuotaService", {"Exchange": exchange})

    async def _exchange(self, requests: Any, context: Context) -> None:
        self.streams += 1
        given = context.invocation_metadata() or ()
        call = self._daemon.Exchange(metadata=[(key, value) for key, value in given if key == "authorization"])
        lost: set[int] = set()
        parts = [
            asyncio.create_task(self._ask(context, call, lost)),
            asyncio.create_task(self._answer(context, call, lost)),
        ]
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for part in parts:
                part.cancel()
            call.cancel()
        await context.abort(grpc.StatusCode.UNAVAILABLE, "the relay has cut this stream")

    async def _ask(self, context: Context, call: Call, lost: set[int]) -> None:
        """Until a message is lost, or the caller is gone."""
        while isinstance(message := await context.read(), pb.ExchangeRequest):
            self.messages.append(message)
            fate = self.fate(message)
            if fate is Fate.REQUEST_LOST:
                return
            if fate is Fate.ANSWER_LOST:
                lost.add(message.message_number)
            await call.write(message)

    async def _answer(self, context: Context, call: Call, lost: set[int]) -> None:
        """Until an answer is lost, or the daemon is gone."""
        while isinstance(answer := await call.read(), pb.ExchangeResponse):
            if answer.message_number in lost:
                return
            if self.results_max is not None:
                del answer.results[self.results_max :]
            await context.write(answer)


@asynccontextmanager
async def stream_relay(daemon_address: str) -> AsyncIterator[StreamRelay]:
    server = grpc.aio.server()
    async with grpc.aio.insecure_channel(daemon_address) as channel:
        relay = StreamRelay(channel)
        server.add_generic_rpc_handlers((relay.handler(),))
        relay.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        try:
            yield relay
        finally:
            await server.stop(None)
