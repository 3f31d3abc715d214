"""How the configuration of a tenant is edited: one edit after the other, each in a transaction of its own.

Every edit moves the tenant's `config_version` in the same transaction: a plan made on the older configuration is then
refused by `apply` and made again, so that an edit binds every Reserve that starts after it was acknowledged.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from uuid_utils.compat import uuid7

from quotad.errors import EtagMismatch, InvalidRequest, Overloaded
from quotad.store import statements_keys
from quotad.store.connections import Connection, Connections
from quotad.store.failures import PlanAgain
from quotad.values import Limit, LimitOwner

EDITS_MAX = 5
"""Tries of one edit before it answers `OVERLOADED`: another edit of the tenant got ahead each time."""
NAME_BYTES_MAX = 512
"""Of a name to look for: the longest name in its longest form."""
PAGE_SIZE_MAX = 1000

Result = TypeVar("Result")


async def edit_tenant(
    connections: Connections, tenant_id: str, edit: Callable[[Connection], Awaitable[Result]]
) -> Result:
    """Run `edit` while nobody else edits this tenant; the tenant exists from then on."""
    for _ in range(EDITS_MAX):
        try:
            async with connections.acquire() as connection, connection.transaction():
                await connection.execute(statements_keys.LOCK_TENANT, tenant_id)
                return await edit(connection)
        except PlanAgain:
            continue
    raise Overloaded("the configuration of this tenant is too busy")


async def replace_limits(connection: Connection, tenant_id: str, owner: LimitOwner, limits: tuple[Limit, ...]) -> None:
    """Make these the limits of a key or a group; a rule that stays, or comes back, keeps its counters."""
    owner_ids = owner.api_key_id or None, owner.group_id or None
    await connection.execute(statements_keys.REMOVE_LIMITS, tenant_id, *owner_ids)
    for position, limit in enumerate(limits):
        await connection.execute(
            statements_keys.PUT_LIMIT,
            tenant_id,
            UUID(uuid7().hex),
            *owner_ids,
            limit.metric,
            limit.window.kind.value,
            limit.window.seconds,
            limit.window.time_zone,
            limit.model_pattern,
            limit.max_value,
            limit.enforcement.value,
            position,
        )


def check_etag(given: str, current: str) -> None:
    if given and given != current:
        raise EtagMismatch("this has been edited since it was read")


def check_page_size(page_size: int) -> None:
    if not 1 <= page_size <= PAGE_SIZE_MAX:
        raise InvalidRequest("page_size", f"a page has 1 to {PAGE_SIZE_MAX:,} entries")


def new_etag() -> str:
    return secrets.token_hex(8)
