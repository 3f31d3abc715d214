"""What all calls of the control plane have in common: the tenant that they concern, and who makes them."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import grpc.aio

from quotad.administration import Author
from quotad.errors import CallerNotAllowed
from quotad.server.interceptors import CALLER
from quotad.values import DEFAULT_TENANT

Context = grpc.aio.ServicerContext[Any, Any]

ACTOR_METADATA = "quota-actor"
ACTOR_CHARACTERS_MAX = 128
PAGE_SIZE = 100
PAGE_SIZE_MAX = 1000
"""A larger one is taken as this, as AIP-158 has it."""


def allowed_tenant(tenant_id: str) -> str:
    """The tenant that a call names, `default` where it names none; raises `CallerNotAllowed`."""
    named = tenant_id or DEFAULT_TENANT
    if not CALLER.get().may_touch(named):
        raise CallerNotAllowed("the caller's token may not touch this tenant", metadata={"tenant_id": named})
    return named


def require_all_tenants() -> None:
    """Raise `CallerNotAllowed` unless the caller's token may touch all tenants."""
    if not CALLER.get().may_touch_all:
        raise CallerNotAllowed("this call needs a token that may touch all tenants")


def page_size_of(given: int) -> int:
    return min(given or PAGE_SIZE, PAGE_SIZE_MAX)


def author_of(context: Context) -> Author:
    return Author(CALLER.get().name, _actor(context))


def _actor(context: Context) -> str:
    for name, value in context.invocation_metadata() or ():
        if name == ACTOR_METADATA and isinstance(value, str):
            return unquote(value).replace("\0", "")[:ACTOR_CHARACTERS_MAX]
    return ""
