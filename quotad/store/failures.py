"""What a driver's error means. Nothing of the driver leaves the store: whatever is not listed here is a defect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import asyncpg

from quotad.errors import Overloaded, StoreUnavailable

QT_CODES = frozenset({"QT001", "QT002", "QT003", "QT004"})
"""What `apply_v2` raises when an assumption of the plan no longer holds."""


CONFIGURATION_CODE = "QT001"


class PlanAgain(Exception):
    """The rows moved under the plan; nothing was written. Plan again on fresh rows."""


class ConfigurationMoved(PlanAgain):
    """The tenant's configuration changed after it was read: look up keys and limits again."""


class LapsedInTheWay(PlanAgain):
    """A refusal rests on holds while the lease of some reservation has lapsed: expire those first, then judge again."""


class TooSlow(Overloaded):
    """A lock or a statement took too long; nothing was written."""


class ConnectionLost(StoreUnavailable):
    """The connection broke under an operation, which may have been committed: repeat it with the same ids."""


def _too_slow() -> Exception:
    return TooSlow("the database did not answer in time")


def _lost() -> Exception:
    return ConnectionLost("the connection to the database was lost")


def _silent() -> Exception:
    return StoreUnavailable("the database did not answer in time")


def _away() -> Exception:
    return StoreUnavailable("the database is not available")


def _defect() -> None:
    return None


# The first row that fits decides: narrower classes stand above the ones that they belong to.
MEANINGS: tuple[tuple[tuple[type[BaseException], ...], Callable[[], Exception | None]], ...] = (
    ((asyncpg.SerializationError, asyncpg.DeadlockDetectedError), PlanAgain),
    ((asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError, asyncpg.TooManyConnectionsError), _too_slow),
    ((asyncpg.ConnectionDoesNotExistError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError), _lost),
    ((asyncpg.IdleInTransactionSessionTimeoutError,), _lost),
    # A server that ends a session between two statements leaves the driver in a state of its own.
    ((asyncpg.InternalClientError,), _lost),
    ((asyncpg.DataError, asyncpg.UnsupportedClientFeatureError), _defect),
    ((asyncpg.InterfaceError,), _lost),
    ((asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError), _away),
    ((asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError), _away),
    ((asyncpg.ObjectNotInPrerequisiteStateError, asyncpg.ReadOnlySQLTransactionError), _away),
    # Also where no connection became free: all of them wait for a database that does not answer.
    ((TimeoutError,), _silent),
    ((OSError,), _away),
)


@contextmanager
def translated() -> Iterator[None]:
    """Raise what a driver's error means instead of it."""
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as exc:
        meaning = _meaning(exc)
        if meaning is None:
            raise
        raise meaning from exc


def _meaning(error: BaseException) -> Exception | None:
    if isinstance(error, asyncpg.PostgresError) and error.sqlstate in QT_CODES:
        return ConfigurationMoved() if error.sqlstate == CONFIGURATION_CODE else PlanAgain()
    return next((meaning() for kinds, meaning in MEANINGS if isinstance(error, kinds)), None)
