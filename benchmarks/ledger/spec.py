"""What a load process is told, and what it answers, as JSON over its standard streams."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from benchmarks.ledger.method import ACTUAL_AMOUNTS, LEASE_SECONDS, REQUEST_AMOUNTS
from quotad.values import DEFAULT_TENANT


class Driver(StrEnum):
    """How a contender is called."""

    CLIENT = "client"
    """`quotad.client` as it comes."""
    UNARY = "unary"
    """The generated stubs, one RPC per call."""
    EMPTY = "empty"
    """The generated stubs with empty messages."""
    REDIS = "redis"
    READ_CHECK_WRITE = "read_check_write"


class Work(StrEnum):
    """What the tasks do."""

    PAIRS = "pairs"
    """Reserve and Finalize, one in ten renewed in between."""
    REFUSALS = "refusals"
    """Reserve where nothing is left."""
    RACE = "race"
    """Reserve until refused, one key after the other: who admits more than fits?"""
    HOLDS = "holds"
    """Make `count` reservations and leave them open."""
    LAPSE = "lapse"
    """Make `count` reservations that all lapse at one moment, and reserve on while they do."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """Keys whose ids and tenants follow from their numbers."""

    prefix: str
    count: int = 1
    tenants: int = 1

    def api_key_id(self, number: int) -> str:
        return f"{self.prefix}{number % self.count}"

    def tenant_id(self, number: int) -> str:
        return DEFAULT_TENANT if self.tenants == 1 else f"tenant-{number % self.count % self.tenants}"


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """One load."""

    driver: Driver
    target: str
    """`host:port` of a daemon, the URL of a database, or the path of a socket."""
    keys: KeySet
    work: Work = Work.PAIRS
    token: str = ""
    tasks: int = 64
    warm_up_seconds: float = 0.0
    measured_seconds: float = 1.0
    count: int = 0
    room: int = 0
    """Requests that fit one key's limit; peers without limits of their own are told it."""
    lease_seconds: float = LEASE_SECONDS
    limits_view: str = "none"
    amounts: Mapping[str, int] = field(default_factory=lambda: dict(REQUEST_AMOUNTS))
    actual: Mapping[str, int] = field(default_factory=lambda: dict(ACTUAL_AMOUNTS))
    watched: Mapping[str, int] = field(default_factory=dict)
    """Name to process id: whose CPU time, children included, is measured beside the load's own."""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> LoadSpec:
        values = json.loads(text)
        values |= {
            "driver": Driver(values["driver"]),
            "work": Work(values["work"]),
            "keys": KeySet(**values["keys"]),
        }
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds."""

    p50: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What happened within the measured time."""

    seconds: float
    pairs: int = 0
    operations: int = 0
    """Answered calls: Reserve, Renew and Finalize each count."""
    refused: int = 0
    errors: int = 0
    first_error: str = ""
    admitted: tuple[int, ...] = ()
    """Of each race."""
    reserve: Latency | None = None
    finalize: Latency | None = None
    cpu_seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def pairs_per_second(self) -> float:
        return self.pairs / self.seconds

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> LoadResult:
        values = json.loads(text)
        for name in ("reserve", "finalize"):
            values[name] = None if values[name] is None else Latency(**values[name])
        values["admitted"] = tuple(values["admitted"])
        return cls(**values)
