"""The demo key: made once over the wire, so that the first request needs nothing more."""

from __future__ import annotations

from quotad.client.admin import AdminClient
from quotad.client.connection import Connection
from quotad.client.data import DataClient
from quotad.errors import ApiKeyUnknown
from quotad.stack.stackjson import Secrets
from quotad.values import Limit, Window, WindowKind

NAME = "built-in demo"
LIMITS = (
    Limit("total_tokens", Window(WindowKind.DAY), 2_000_000),
    Limit("requests", Window(WindowKind.MINUTE), 120),
)
"""Ten turns of a coding agent, of which several may hold their 17,000 tokens at a time, with much to spare."""


async def ensure_demo_key(address: str, secrets: Secrets) -> str:
    """The secret of the demo key: the known one where the ledger still has it, else a new key's."""
    if secrets.demo_api_key and await _is_known(address, secrets):
        return secrets.demo_api_key
    async with Connection(address, secrets.admin_token) as connection:
        created = await AdminClient(connection, actor="quotad up").create_api_key(NAME, limits=LIMITS)
    return created.secret


async def _is_known(address: str, secrets: Secrets) -> bool:
    async with Connection(address, secrets.data_token) as connection:
        try:
            await DataClient(connection).describe_key(api_key=secrets.demo_api_key)
        except ApiKeyUnknown:
            return False
    return True
