#!/usr/bin/env python3
"""Stands in for `grpcurl` on machines without it: one call, or `list`, with `-plaintext`, `-H` and `-d`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2  # noqa: F401 - registers the service
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from protos.quota.v1 import quota_pb2  # noqa: F401 - registers the services

TIMEOUT_SECONDS = 20
EXIT_CODE_BASE = 64
"""grpcurl adds the status code to it."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-plaintext", action="store_true", required=True)
    parser.add_argument("-H", action="append", default=[], dest="headers")
    parser.add_argument("-d", dest="data", default="{}")
    parser.add_argument("address")
    parser.add_argument("method")
    given = parser.parse_args()
    metadata = tuple(tuple(header.split(": ", 1)) for header in given.headers)
    with grpc.insecure_channel(given.address) as channel:
        try:
            for line in _lines(channel, given.method, given.data, metadata):
                sys.stdout.write(f"{line}\n")
        except grpc.RpcError as error:
            sys.stderr.write(f"ERROR:\n  Code: {error.code().name}\n  Message: {error.details()}\n")
            sys.exit(EXIT_CODE_BASE + error.code().value[0])


def _lines(channel: grpc.Channel, method: str, data: str, metadata: Any) -> Iterator[str]:
    if method == "list":
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
        for answer in reflection.ServerReflectionInfo(iter([request]), metadata=metadata, timeout=TIMEOUT_SECONDS):
            yield from (service.name for service in answer.list_services_response.service)
        return
    service, _, name = method.partition("/")
    found = descriptor_pool.Default().FindServiceByName(service).FindMethodByName(name)
    yield from (json_format.MessageToJson(answer) for answer in _call(channel, found, data, metadata))


def _call(channel: grpc.Channel, method: MethodDescriptor, data: str, metadata: Any) -> Iterable[Message]:
    request = json_format.Parse(data, message_factory.GetMessageClass(method.input_type)())
    kind: Any = channel.stream_stream if method.client_streaming else channel.unary_unary
    call = kind(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
    )
    if method.client_streaming:
        answers: Iterable[Message] = call(iter([request]), metadata=metadata, timeout=TIMEOUT_SECONDS)
        return answers
    return [call(request, metadata=metadata, timeout=TIMEOUT_SECONDS)]


if __name__ == "__main__":
    main()
