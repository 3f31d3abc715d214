"""The Python client of quotad: async, typed answers, typed errors, bounded retries with the same id.

Reading order: `types` (what calls answer), `channel` (one attempt, with `tls` and `tracing`), `retrying` (further
attempts), `messages`, `stream` and `coalescing` (many calls in few messages), `connection` (all of these in one).
Then the calls: `data` (Reserve, Renew, reads), `settling` (Finalize, Release, and who may release), `held` (a
reservation as a block), `quota_client` (the data plane in one), `admin` (keys, with `groups`, `tokens` and `records`),
`limit_headers` (what an HTTP service tells its callers of their limits).
"""

from quotad.client.held import Held
from quotad.client.quota_client import QuotaClient
from quotad.client.types import OutcomeUnknown

__all__ = ["QuotaClient", "Held", "OutcomeUnknown"]
