"""The Python client of quotad: async, typed answers, typed errors, bounded retries with the same id.

Reading order: `types` (what calls answer), `channel` (retries), `data` (Reserve, Renew, reads), `settling` (Finalize,
Release, and who may release), `admin` (keys, with `groups` and `tokens`), `held` (a reservation as a
block), `quota_client` (all of it in one).
"""

from quotad.client.held import Held
from quotad.client.quota_client import QuotaClient
from quotad.client.types import OutcomeUnknown

__all__ = ["QuotaClient", "Held", "OutcomeUnknown"]
