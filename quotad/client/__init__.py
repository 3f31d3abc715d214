"""The Python client of quotad: async, typed answers, typed errors, bounded retries with the same id.

Reading order: `types` (what calls answer), `connection` (daemons in turn) with `channel` (one attempt), `retrying` and
`coalescing` (many tasks' calls in few messages), `data` (Reserve, Renew, reads), `settling` (Finalize, Release, and who
may release), `held` (a reservation as a block), `quota_client` (all of it in one); `admin` with `groups`, `tokens` and
`records`.
"""

from quotad.client.held import Held
from quotad.client.quota_client import QuotaClient
from quotad.client.types import OutcomeUnknown

__all__ = ["QuotaClient", "Held", "OutcomeUnknown"]
