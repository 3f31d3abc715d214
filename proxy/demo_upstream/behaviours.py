"""How the demo upstream misbehaves on command.

A behaviour is written `NAME[;parameter=value…]`, in the header `x-demo-behaviour` or queued for the next requests:

    400 … 599        that status with an OpenAI error; 429 takes `retry-after` (seconds) and
                     `kind=rate|usage|quota`, usage being a ChatGPT account's exhausted window
    expired_token    401, and the credential stays refused from now on
    html             a web page; `status` (200)
    reset            the connection is reset; after `after` events, else before any byte
    cut              the connection is closed without an end; likewise
    hang             nothing more comes; likewise
    half_event       a well-formed end in the middle of an event, after `after` (3) events
    slow             the usual answer
    no_usage         ends with `usage: null`
    incomplete       ends with `response.incomplete`; `usage=no` leaves its usage out
    failed           ends with `response.failed`, after `after` events (default: all words); `usage=yes`, `code`
    error            ends with a bare `error` event; `code`
    tool             a call of the first tool, or of `name`, with `arguments`; the usual answer once it was answered
    no_stream_options   400 where the request has `stream_options`

Each takes `ms`, the pause before every event.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

NAMES = frozenset(
    (
        "expired_token",
        "html",
        "honest",
        "slow",
        "no_usage",
        "incomplete",
        "failed",
        "error",
        "tool",
        "no_stream_options",
    )
)
BREAKING_NAMES = frozenset(("reset", "cut", "hang", "half_event"))
QUEUE_BEHAVIOURS_MAX = 1_000
"""Behaviours waiting for a request; a test queues a handful."""
PAUSE_MS_MAX = 600_000
SLOW_MS = 200


class BehaviourUnknown(ValueError):
    """No such behaviour, or a parameter that cannot be read; the message names it."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One misbehaviour with its parameters."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, value: str) -> Behaviour:
        """Read `NAME[;parameter=value…]`; raises `BehaviourUnknown`."""
        name, *rest = (part.strip() for part in value.split(";"))
        behaviour = cls(name, dict(_pair(part) for part in rest))
        is_status = name.isdigit() and 400 <= int(name) <= 599
        if name not in NAMES | BREAKING_NAMES and not is_status:
            raise BehaviourUnknown(f"unknown behaviour {name!r}")
        _ = (behaviour.after, behaviour.pause_seconds, behaviour.retry_after, behaviour.number("status"))
        return behaviour

    @property
    def status(self) -> int | None:
        """The HTTP status of a plain refusal."""
        return int(self.name) if self.name.isdigit() else None

    @property
    def after(self) -> int | None:
        """Events before it strikes; None: the default of the behaviour."""
        return self.number("after")

    @property
    def retry_after(self) -> int | None:
        return self.number("retry-after")

    @property
    def pause_seconds(self) -> float:
        pause = self.number("ms")
        if pause is None:
            pause = SLOW_MS if self.name == "slow" else 0
        return min(pause, PAUSE_MS_MAX) / 1_000

    def number(self, parameter: str) -> int | None:
        value = self.parameters.get(parameter)
        if value is None:
            return None
        if not value.isdecimal():
            raise BehaviourUnknown(f"{parameter}={value!r} of {self.name} is not a number")
        return int(value)


HONEST = Behaviour("honest")


@dataclass(frozen=True, slots=True)
class Queued:
    """A behaviour for the next request; of one credential where it names one."""

    behaviour: Behaviour
    credential: str | None


class BehaviourQueue:
    """What the next requests will meet, first in, first out."""

    def __init__(self) -> None:
        self._queue: deque[Queued] = deque()

    def add(self, behaviours: Sequence[Behaviour], credential: str | None) -> None:
        """Queue all of them or, past the bound, none; raises `BehaviourUnknown`."""
        if len(self._queue) + len(behaviours) > QUEUE_BEHAVIOURS_MAX:
            raise BehaviourUnknown(f"more than {QUEUE_BEHAVIOURS_MAX} queued behaviours")
        self._queue.extend(Queued(behaviour, credential) for behaviour in behaviours)

    def take(self, credential: str) -> Behaviour:
        """The behaviour for this request; `HONEST` where none waits."""
        for position, queued in enumerate(self._queue):
            if queued.credential in (None, credential):
                del self._queue[position]
                return queued.behaviour
        return HONEST

    def clear(self) -> None:
        self._queue.clear()

    def __len__(self) -> int:
        return len(self._queue)


def _pair(part: str) -> tuple[str, str]:
    name, separator, value = part.partition("=")
    if not separator:
        raise BehaviourUnknown(f"{part!r} is not of the form parameter=value")
    return name.strip(), value.strip()
