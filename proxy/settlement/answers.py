"""What a caller does with the answer to a Finalize or a Release. Pure.

UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED, INTERNAL, UNKNOWN    keep it, and try again later
ABORTED; the caller's own token is not accepted                 keep it, and try again later
any other refusal                                               definite
"""

from __future__ import annotations

from quotad.client.types import OutcomeUnknown
from quotad.errors import CallerNotAllowed, CallerUnauthenticated, EtagMismatch, QuotaError, Unavailable

INDEFINITE = (OutcomeUnknown, Unavailable, EtagMismatch, CallerUnauthenticated, CallerNotAllowed)
DELIVERY_SECONDS_MAX = 6 * 24 * 3600.0
"""Below the ledger's idempotency horizon of 7 days, after which a repeat might be charged anew."""


def is_indefinite(error: BaseException) -> bool:
    """Whether a repeat may do better: only the ledger's own refusals are definite, and not all of those."""
    # The retry context asks about a cancellation, too.
    return isinstance(error, INDEFINITE) or (isinstance(error, Exception) and not isinstance(error, QuotaError))
