"""Keys, groups and tokens by their id, or by a name that only one has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeVar

import typer

from quotad.administration import GroupDescription, ServiceToken
from quotad.client.admin import AdminClient
from quotad.errors import InvalidRequest, ResourceNotFound
from quotad.values import KeyDescription
from servicekit.commands import CommandFailed

IDS_SHOWN_MAX = 10
"""Of those that share a name; more would not be one line."""

Tenant = Annotated[str, typer.Option(help="The tenant that is meant.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

Found = TypeVar("Found")
Page = tuple[Sequence[Found], str]


async def all_keys(admin: AdminClient, tenant: str, name: str = "") -> list[KeyDescription]:
    async def page(token: str) -> Page[KeyDescription]:
        found = await admin.list_api_keys(tenant, name, page_token=token)
        return found.keys, found.next_page_token

    return await _all(page)


async def all_groups(admin: AdminClient, tenant: str, name: str = "") -> list[GroupDescription]:
    async def page(token: str) -> Page[GroupDescription]:
        found = await admin.list_groups(tenant, name, page_token=token)
        return found.groups, found.next_page_token

    return await _all(page)


async def all_tokens(admin: AdminClient) -> list[ServiceToken]:
    async def page(token: str) -> Page[ServiceToken]:
        found = await admin.list_tokens(page_token=token)
        return found.tokens, found.next_page_token

    return await _all(page)


async def find_key(admin: AdminClient, key: str, tenant: str) -> KeyDescription:
    """The key of this id, else the one of this name; an ambiguous name is an error that lists the ids."""
    try:
        return await admin.get_api_key(key, tenant)
    except (ResourceNotFound, InvalidRequest):  # what cannot be an id may be a name
        named = await all_keys(admin, tenant, name=key)
    return _only("key", key, named, lambda found: found.api_key.api_key_id)


async def find_group(admin: AdminClient, group: str, tenant: str) -> GroupDescription:
    """The group of this id, else the one of this name."""
    try:
        return await admin.get_group(group, tenant)
    except (ResourceNotFound, InvalidRequest):  # what cannot be an id may be a name
        named = await all_groups(admin, tenant, name=group)
    return _only("group", group, named, lambda found: found.group.group_id)


async def find_token(admin: AdminClient, token: str) -> ServiceToken:
    """The token of this id or name."""
    found = [item for item in await all_tokens(admin) if token in (item.token_id, item.name)]
    return _only("token", token, found, lambda item: item.token_id)


def _only(kind: str, name: str, found: Sequence[Found], id_of: Callable[[Found], str]) -> Found:
    if not found:
        raise CommandFailed(f"no {kind} has the id or name {name!r}: see quotad {kind}s list")
    if len(found) > 1:
        ids = ", ".join(id_of(item) for item in found[:IDS_SHOWN_MAX])
        raise CommandFailed(f"{len(found)} {kind}s are named {name!r}, give an id: {ids}")
    return found[0]


async def _all(page: Callable[[str], Awaitable[Page[Found]]]) -> list[Found]:
    found, token = await page("")
    everything = list(found)
    while token:
        found, token = await page(token)
        everything.extend(found)
    return everything
