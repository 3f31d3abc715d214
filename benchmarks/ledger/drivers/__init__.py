"""How each kind of contender is called: three calls, the same for all."""

from __future__ import annotations

from typing import Protocol

from benchmarks.ledger.spec import Driver, LoadSpec


class Calls(Protocol):
    """What a load calls. Keys are numbers of the spec's key set."""

    async def reserve(self, reservation_id: str, key: int, lease_seconds: float) -> bool:
        """Take room; False where it is refused because it does not fit."""

    async def renew(self, reservation_id: str, key: int) -> None: ...

    async def finalize(self, reservation_id: str, key: int) -> None: ...

    async def close(self) -> None: ...


async def open_calls(spec: LoadSpec) -> Calls:
    """Imports only what the spec needs: the peers' packages are there for benchmarks alone."""
    match spec.driver:
        case Driver.CLIENT:
            from benchmarks.ledger.drivers.client import ClientCalls

            return ClientCalls(spec)
        case Driver.UNARY:
            from benchmarks.ledger.drivers.unary import UnaryCalls

            return UnaryCalls(spec)
        case Driver.EMPTY:
            from benchmarks.ledger.drivers.unary import EmptyCalls

            return EmptyCalls(spec)
        case Driver.REDIS:
            from benchmarks.ledger.drivers.redis_script import RedisCalls

            return await RedisCalls.open(spec)
        case Driver.READ_CHECK_WRITE:
            from benchmarks.ledger.drivers.read_check_write import ReadCheckWriteCalls

            return await ReadCheckWriteCalls.open(spec)
