"""Check and add in one Redis script, as many gateways do: atomic, and as durable as the append-only file is."""

from __future__ import annotations

import redis.asyncio as redis

from benchmarks.ledger.method import AMPLE
from benchmarks.ledger.spec import LoadSpec

CONNECTIONS_MAX = 64
CALL_SECONDS_MAX = 30.0

# KEYS: the counters, then the reservation. ARGV: for each counter its amount and maximum, then the lease.
RESERVE = """
local id = KEYS[#KEYS]
if redis.call('EXISTS', id) == 1 then return 2 end
for n = 1, #KEYS - 1 do
  local taken = tonumber(redis.call('GET', KEYS[n]) or '0')
  if taken + tonumber(ARGV[2 * n - 1]) > tonumber(ARGV[2 * n]) then return 0 end
end
for n = 1, #KEYS - 1 do redis.call('INCRBY', KEYS[n], ARGV[2 * n - 1]) end
redis.call('SET', id, 'reserved', 'EX', ARGV[#ARGV])
return 1
"""
RENEW = "return redis.call('EXPIRE', KEYS[1], ARGV[1])"
# ARGV: for each counter what is given back.
FINALIZE = """
local id = KEYS[#KEYS]
if redis.call('GET', id) ~= 'reserved' then return 0 end
for n = 1, #KEYS - 1 do redis.call('DECRBY', KEYS[n], ARGV[n]) end
redis.call('SET', id, 'finalized', 'KEEPTTL')
return 1
"""


class RedisCalls:
    """Counters of one window; a hold that lapses is never given back, which spares this peer a sweeper."""

    def __init__(self, spec: LoadSpec, client: redis.Redis) -> None:
        self._spec = spec
        self._client = client
        self._reserve = client.register_script(RESERVE)
        self._renew = client.register_script(RENEW)
        self._finalize = client.register_script(FINALIZE)
        room = spec.room or AMPLE
        self._amounts = [part for amount in spec.amounts.values() for part in (amount, min(AMPLE, amount * room))]
        self._given_back = [amount - spec.actual[metric] for metric, amount in spec.amounts.items()]

    @classmethod
    async def open(cls, spec: LoadSpec) -> RedisCalls:
        pool = redis.BlockingConnectionPool(
            connection_class=redis.UnixDomainSocketConnection,
            path=spec.target,
            max_connections=CONNECTIONS_MAX,
            socket_timeout=CALL_SECONDS_MAX,
        )
        return cls(spec, redis.Redis.from_pool(pool))

    async def reserve(self, reservation_id: str, key: int, lease_seconds: float) -> bool:
        arguments = [*self._amounts, max(1, round(lease_seconds))]
        return bool(await self._reserve(keys=self._keys(reservation_id, key), args=arguments))

    async def renew(self, reservation_id: str, key: int) -> None:  # noqa: ARG002
        await self._renew(keys=[f"reservation:{reservation_id}"], args=[round(self._spec.lease_seconds)])

    async def finalize(self, reservation_id: str, key: int) -> None:
        if not await self._finalize(keys=self._keys(reservation_id, key), args=self._given_back):
            raise RuntimeError("a reservation was lost")

    async def close(self) -> None:
        await self._client.aclose()

    def _keys(self, reservation_id: str, key: int) -> list[str]:
        number = self._spec.keys.api_key_id(key)
        return [*(f"counter:{number}:{metric}" for metric in self._spec.amounts), f"reservation:{reservation_id}"]
