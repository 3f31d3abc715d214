"""Requests as nobody should send them: well-formed messages of wild values, and bytes that are no message at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

DEPTH_MAX = 4
REPEATS_MAX = 3
BYTES_MAX = 512
MUTATIONS_MAX = 4

TEXTS = (
    "",
    "a",
    "x" * 128,
    "x" * 129,
    "x" * 2000,
    "a b",
    "\0",
    "é" * 200,
    "\u202e",
    "gpt-5*",
    "*",
    "default",
    "../..",
    "%s",
)
METRICS = ("total_tokens", "requests", "concurrency", "input_tokens", "Total", "", "m" * 64)
NUMBERS = (0, 1, -1, 2, 59, 60, 1000, 10**12, 10**12 + 1, 10**15, 10**15 + 1, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63))
INTEGERS = {
    FieldDescriptor.TYPE_INT64: 64,
    FieldDescriptor.TYPE_UINT64: 64,
    FieldDescriptor.TYPE_INT32: 32,
    FieldDescriptor.TYPE_UINT32: 32,
    FieldDescriptor.TYPE_ENUM: 32,
}


class Nonsense:
    """Requests by chance, the same ones for the same seed.

    `known` says what fields of some names hold that mean something to the ledger. A request takes none, a few or most
    of its values from the wild ones, so that some of them get far.
    """

    def __init__(self, seed: int, known: Mapping[str, Sequence[Any]]) -> None:
        self.chance = Random(seed)
        self._known = known
        self._texts = [value for values in known.values() for value in values if isinstance(value, str)]
        self._wildness = 0.0

    def request(self, descriptor: Descriptor) -> bytes:
        """The bytes of a wild message, mutated half of the time, or of no message at all."""
        if self.chance.random() < 0.1:
            return self.chance.randbytes(self.chance.randrange(BYTES_MAX))
        self._wildness = self.chance.choice([0.0, 0.02, 0.1, 0.5])
        data = self.message(descriptor).SerializeToString()
        if self.chance.random() < 0.7:
            return data
        for _ in range(self.chance.randint(1, MUTATIONS_MAX)):
            data = self.chance.choice(_MUTATIONS)(data, self.chance)
        return data

    def message(self, descriptor: Descriptor, depth: int = 0) -> Message:
        message = GetMessageClass(descriptor)()
        for field in descriptor.fields:
            if self.chance.random() < 0.75:
                self._fill(message, field, depth)
        return message

    def _fill(self, message: Message, field: FieldDescriptor, depth: int) -> None:
        if field.message_type is None:
            if field.is_repeated:
                values = [self._scalar(field) for _ in range(self.chance.randrange(REPEATS_MAX))]
                getattr(message, field.name).extend(values)
            else:
                setattr(message, field.name, self._scalar(field))
        elif depth < DEPTH_MAX:
            self._fill_message(message, field, field.message_type, depth)

    def _fill_message(self, message: Message, field: FieldDescriptor, kind: Descriptor, depth: int) -> None:
        if kind.GetOptions().map_entry:
            self._fill_map(message, field, kind)
        elif field.is_repeated:
            values = [self.message(kind, depth + 1) for _ in range(self.chance.randrange(REPEATS_MAX))]
            getattr(message, field.name).extend(values)
        else:
            getattr(message, field.name).CopyFrom(self.message(kind, depth + 1))

    def _fill_map(self, message: Message, field: FieldDescriptor, kind: Descriptor) -> None:
        entry = kind.fields_by_name
        counts = entry["value"].type in INTEGERS
        for _ in range(self.chance.randrange(REPEATS_MAX)):
            key = self.chance.choice(METRICS if self._is_wild() else METRICS[:4]) if counts else self._text("label")
            getattr(message, field.name)[key] = self._scalar(entry["value"])

    def _is_wild(self) -> bool:
        return self.chance.random() < self._wildness

    def _scalar(self, field: FieldDescriptor) -> Any:
        if field.type == FieldDescriptor.TYPE_STRING:
            return self._text(field.name)
        if field.type == FieldDescriptor.TYPE_BOOL:
            return self.chance.random() < 0.3
        if field.type == FieldDescriptor.TYPE_BYTES:
            return self.chance.randbytes(8)
        return self._number(field)

    def _number(self, field: FieldDescriptor) -> int:
        if not self._is_wild():
            kinds = field.enum_type.values if field.enum_type else ()
            named = [kind.number for kind in kinds] or self._known.get(field.name) or range(20)
            return int(self.chance.choice(named))
        bits = INTEGERS[field.type]
        is_unsigned = field.type in {FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_UINT32}
        low = 0 if is_unsigned else -(2 ** (bits - 1))
        return self.chance.choice([number for number in NUMBERS if low <= number < 2 ** (bits - 1)])

    def _text(self, name: str) -> str:
        if self._is_wild():
            return self.chance.choice((*self._texts, *TEXTS))
        return str(self.chance.choice(self._known.get(name) or ("a", "b")))


def _flip(data: bytes, chance: Random) -> bytes:
    if not data:
        return data
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << chance.randrange(8))]) + data[place + 1 :]


def _cut(data: bytes, chance: Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _lose(data: bytes, chance: Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    return data[:start] + data[start + chance.randrange(8) :]


def _insert(data: bytes, chance: Random) -> bytes:
    place = chance.randrange(len(data) + 1)
    return data[:place] + chance.randbytes(chance.randrange(1, 8)) + data[place:]


def _repeat(data: bytes, chance: Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    piece = data[start : start + chance.randrange(64)]
    return data[:start] + piece * chance.randint(1, 3) + data[start:]


_MUTATIONS: tuple[Callable[[bytes, Random], bytes], ...] = (_flip, _flip, _cut, _lose, _insert, _repeat)
