"""What is asked of one daemon: operations that wait for a message, and messages that wait for an answer.

Plain state without I/O; times are the event loop's clock.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from protos.quota.v1 import quota_pb2 as pb
from quotad.client.types import OutcomeUnknown

MESSAGES_MAX = 2
"""Unanswered messages of a stream: while one is being answered the next one gathers."""
SLOW_SECONDS = 0.1
"""A message that takes longer waits for some row that is locked: it no longer counts, so that others need not wait."""
SLOW_MESSAGES_MAX = 32
"""Unanswered messages of a stream, slow ones included; the contract allows 64."""
OPERATIONS_MAX = 500
"""Of one message; the contract allows 1,000."""
MESSAGE_BYTES_MAX = 1024 * 1024 - 64
OPERATION_BYTES_MORE = 32
"""What surrounds a request inside its message: tags, lengths and the time-out."""
REQUEST_BYTES_MAX = MESSAGE_BYTES_MAX - OPERATION_BYTES_MORE
LATE_SECONDS = 0.1
"""How much longer than an operation's time-out its answer may be on its way."""
SILENT_SECONDS = 1.0
"""A stream with a late message that says nothing for so long is taken for dead."""


@dataclass(slots=True, eq=False)
class Asked:
    """An operation, who waits for its answer, and until when."""

    kind: str
    request: Any
    request_bytes: int
    answer: asyncio.Future[pb.ExchangeResult]
    ends_at: float
    doubt: Exception | None = None
    """Set where it was sent before, over a stream that broke."""

    def operation(self, now: float) -> pb.ExchangeOperation:
        """With what is left of its time, which must be something."""
        operation = pb.ExchangeOperation(**{self.kind: self.request})
        operation.timeout.FromNanoseconds(max(1, int((self.ends_at - now) * 1e9)))
        return operation

    def resolve(self, result: pb.ExchangeResult) -> None:
        if not self.answer.done():
            self.answer.set_result(result)

    def give_up(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)

    def give_up_if_late(self, now: float, address: str) -> None:
        if self.ends_at + LATE_SECONDS < now:
            self.give_up(late(address))


def late(address: str) -> OutcomeUnknown:
    return OutcomeUnknown(grpc.StatusCode.DEADLINE_EXCEEDED, f"no answer from quotad at {address}")


class Waiting:
    """Operations that are in no message yet, oldest first. A caller that has left is forgotten on the way."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._asked: deque[Asked] = deque()

    def __len__(self) -> int:
        return len(self._asked)

    def add(self, asked: Asked) -> None:
        self._asked.append(asked)

    def add_again(self, unanswered: Sequence[Asked], doubt: Exception) -> None:
        """Before all others, what was sent already."""
        for asked in unanswered:
            asked.doubt = doubt
        self._asked.extendleft(reversed(unanswered))

    def next_batch(self, now: float) -> list[Asked]:
        """What fits into one message, of what is still wanted and has time left."""
        batch: list[Asked] = []
        bytes_left = MESSAGE_BYTES_MAX
        while self._asked and len(batch) < OPERATIONS_MAX:
            asked = self._asked[0]
            if asked.ends_at <= now:
                asked.give_up(late(self._address))
            if not asked.answer.done():
                bytes_left -= asked.request_bytes + OPERATION_BYTES_MORE
                if bytes_left < 0:
                    break
                batch.append(asked)
            self._asked.popleft()
        return batch

    def drop_late(self, now: float) -> None:
        for asked in self._asked:
            asked.give_up_if_late(now, self._address)
        self._asked = deque(asked for asked in self._asked if not asked.answer.done())

    def take_all(self) -> list[Asked]:
        taken = list(self._asked)
        self._asked.clear()
        return taken


@dataclass(frozen=True, slots=True)
class Sent:
    """A message's operations, and when it was sent."""

    batch: list[Asked]
    sent_at: float


class UnderWay:
    """The messages of one stream that have no answer yet."""

    def __init__(self) -> None:
        self._messages: dict[int, Sent] = {}
        self._count = 0
        self._heard_at = 0.0

    @property
    def was_heard(self) -> bool:
        """Whether the stream has answered at all."""
        return self._heard_at > 0

    def has_room(self, now: float) -> bool:
        if len(self._messages) < MESSAGES_MAX:
            return True
        if len(self._messages) >= SLOW_MESSAGES_MAX:
            return False
        return sum(sent.sent_at + SLOW_SECONDS > now for sent in self._messages.values()) < MESSAGES_MAX

    def add(self, batch: list[Asked], now: float) -> int:
        """The number of a new message."""
        self._count += 1
        self._messages[self._count] = Sent(batch, now)
        return self._count

    def answered(self, number: int, now: float) -> list[Asked]:
        """The operations of a message, which is then no longer under way; none for an unknown number."""
        self._heard_at = now
        sent = self._messages.pop(number, None)
        return [] if sent is None else sent.batch

    def all(self) -> list[Asked]:
        return [asked for sent in self._messages.values() for asked in sent.batch]

    def is_silent(self, now: float) -> bool:
        """Whether a message is late as a whole, and nothing at all came for long."""
        return self._heard_at + SILENT_SECONDS < now and any(
            all(asked.ends_at + LATE_SECONDS < now for asked in sent.batch) for sent in self._messages.values()
        )
