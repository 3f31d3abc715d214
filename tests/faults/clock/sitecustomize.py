"""Puts this Python's clock wrong by CLOCK_OFFSET_SECONDS, for a process that has this folder on its PYTHONPATH."""

import datetime
import os
import time
from types import SimpleNamespace
from typing import Any, Self

from grpc._cython import cygrpc  # type: ignore[attr-defined]

OFFSET_SECONDS = float(os.environ["CLOCK_OFFSET_SECONDS"])
right_time, right_time_ns, Datetime = time.time, time.time_ns, datetime.datetime


class AnyDatetime(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Datetime)


class WrongDatetime(datetime.datetime, metaclass=AnyDatetime):
    __slots__ = ()

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Self:
        return cls.fromtimestamp(time.time(), tz)


def put_wrong(module: Any, **wrong: object) -> None:
    for name, value in wrong.items():
        setattr(module, name, value)


# gRPC's core takes its deadlines from the system's clock, which stays right: its other half must agree with it.
put_wrong(cygrpc, time=SimpleNamespace(time=right_time))
put_wrong(
    time,
    time=lambda: right_time() + OFFSET_SECONDS,
    time_ns=lambda: right_time_ns() + int(OFFSET_SECONDS * 1e9),
)
put_wrong(datetime, datetime=WrongDatetime)
