"""The ways to the ledger. The rows of the ledger hold through each of them, so the tests know only this protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias, TypeVar

from quotad.client.types import Checked, Grant, Renewal, Settlement
from quotad.core.operations import Check, Finalize, Release, Renew, Reserve
from quotad.errors import QuotaError
from quotad.values import KeyDescription, Reservation, Scope, Subject

Operation: TypeAlias = Reserve | Finalize | Release
Outcome: TypeAlias = Grant | Settlement | QuotaError
Answered = TypeVar("Answered", Grant, Settlement)


class Transport(Protocol):
    """One caller of the data plane. Every method raises the errors of `quotad.errors`."""

    async def reserve(self, operation: Reserve) -> Grant: ...

    async def renew(self, operation: Renew) -> tuple[Renewal, ...]: ...

    async def finalize(self, operation: Finalize) -> Settlement: ...

    async def release(self, operation: Release) -> Settlement: ...

    async def get_reservation(self, scope: Scope, reservation_id: str) -> Reservation: ...

    async def check(self, operation: Check) -> Checked: ...

    async def describe_key(self, subject: Subject) -> KeyDescription: ...

    async def close(self) -> None: ...


class Messages(Transport, Protocol):
    """A transport that carries several operations in one message."""

    async def together(self, operations: Sequence[Operation]) -> list[Outcome]:
        """The operations' outcomes, in order."""
        ...


def raised(outcomes: Sequence[Outcome], kind: type[Answered]) -> Answered:
    """The one answer; an error is raised."""
    (outcome,) = outcomes
    if isinstance(outcome, QuotaError):
        raise outcome
    assert isinstance(outcome, kind)
    return outcome
