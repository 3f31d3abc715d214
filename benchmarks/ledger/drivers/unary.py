"""The generated stubs: one RPC per call, nothing in between."""

from __future__ import annotations

from datetime import timedelta

import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration

from benchmarks.ledger.method import MODEL
from benchmarks.ledger.spec import LoadSpec
from protos.quota.v1 import quota_pb2 as pb
from protos.quota.v1 import quota_pb2_grpc as rpc

CALL_SECONDS_MAX = 30.0
VIEWS = {
    "none": pb.LIMITS_VIEW_NONE,
    "violated": pb.LIMITS_VIEW_VIOLATED,
    "all": pb.LIMITS_VIEW_ALL,
}


class Stub:
    """One channel, and the metadata that each call carries."""

    def __init__(self, spec: LoadSpec) -> None:
        self.spec = spec
        self.channel = grpc.aio.insecure_channel(spec.target)
        self.quota: rpc.QuotaServiceAsyncStub = rpc.QuotaServiceStub(self.channel)
        self.metadata = (("authorization", f"Bearer {spec.token}"),)

    async def close(self) -> None:
        await self.channel.close()


class UnaryCalls(Stub):
    """Whole requests, for any server of quota.v1."""

    async def reserve(self, reservation_id: str, key: int, lease_seconds: float) -> bool:
        request = pb.ReserveRequest(
            reservation_id=reservation_id,
            api_key_id=self.spec.keys.api_key_id(key),
            model=MODEL,
            amounts=self.spec.amounts,
            lease=_duration(lease_seconds),
            limits_view=VIEWS[self.spec.limits_view],
            reservation_view=pb.RESERVATION_VIEW_BRIEF,
        )
        try:
            await self.quota.Reserve(request, timeout=CALL_SECONDS_MAX, metadata=self.metadata)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                return False
            raise
        return True

    async def renew(self, reservation_id: str, key: int) -> None:
        request = pb.RenewRequest(
            scope=self._scope(key), reservation_ids=[reservation_id], lease=_duration(self.spec.lease_seconds)
        )
        await self.quota.Renew(request, timeout=CALL_SECONDS_MAX, metadata=self.metadata)

    async def finalize(self, reservation_id: str, key: int) -> None:
        request = pb.FinalizeRequest(
            scope=self._scope(key),
            reservation_id=reservation_id,
            amounts=self.spec.actual,
            reservation_view=pb.RESERVATION_VIEW_BRIEF,
        )
        await self.quota.Finalize(request, timeout=CALL_SECONDS_MAX, metadata=self.metadata)

    def _scope(self, key: int) -> pb.Scope:
        return pb.Scope(tenant_id=self.spec.keys.tenant_id(key))


class EmptyCalls(Stub):
    """The same number of RPCs with nothing in them: what gRPC itself costs."""

    async def reserve(self, reservation_id: str, key: int, lease_seconds: float) -> bool:  # noqa: ARG002
        await self.quota.Reserve(pb.ReserveRequest(), timeout=CALL_SECONDS_MAX, metadata=self.metadata)
        return True

    async def renew(self, reservation_id: str, key: int) -> None:  # noqa: ARG002
        await self.quota.Renew(pb.RenewRequest(), timeout=CALL_SECONDS_MAX, metadata=self.metadata)

    async def finalize(self, reservation_id: str, key: int) -> None:  # noqa: ARG002
        await self.quota.Finalize(pb.FinalizeRequest(), timeout=CALL_SECONDS_MAX, metadata=self.metadata)


def _duration(seconds: float) -> Duration:
    message = Duration()
    message.FromTimedelta(timedelta(seconds=seconds))
    return message
