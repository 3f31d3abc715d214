"""Which account a key met last, for callers whose prompts an upstream caches: bounded in number and in time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b

KEY_BYTES = 16


def sticky_key(api_key_id: str, prompt_cache_key: object) -> bytes:
    """One name for what one API key calls by one `prompt_cache_key`; empty where there is none."""
    if not isinstance(prompt_cache_key, str) or not prompt_cache_key:
        return b""
    name = f"{len(api_key_id)}:{api_key_id}:{prompt_cache_key}"
    return blake2b(name.encode(errors="surrogatepass"), digest_size=KEY_BYTES).digest()


class Stickiness:
    """Keys and their accounts, the least recently used forgotten first. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float], *, keys_max: int, seconds: float) -> None:
        self._clock = clock
        self._keys_max = keys_max
        self._seconds = seconds
        self._accounts: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._accounts)

    def account_of(self, key: bytes) -> str:
        """The id of the account that the key met last; empty where it is forgotten."""
        account_id, end = self._accounts.get(key, ("", 0.0))
        return account_id if self._clock() < end else ""

    def remember(self, key: bytes, account_id: str) -> None:
        """The key met this account: its time begins anew."""
        self._accounts[key] = (account_id, self._clock() + self._seconds)
        self._accounts.move_to_end(key)
        if len(self._accounts) > self._keys_max:
            self._accounts.popitem(last=False)
