"""What operators edit besides keys, as immutable values: groups, service tokens, and the log of who changed what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from quotad.values import Limit, LimitStatus


class TokenRole(StrEnum):
    """`data` may reserve, settle and read; `admin` may also edit."""

    DATA = "data"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Group:
    """A node above keys: its limits bind every key below it, all together."""

    group_id: str
    tenant_id: str
    name: str
    parent_group_id: str
    """Empty at the root of a tree."""
    limits: tuple[Limit, ...]
    create_time: datetime
    update_time: datetime
    etag: str
    delete_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class GroupDescription:
    """A group and the state of its own limits at one moment."""

    group: Group
    limits: tuple[LimitStatus, ...]
    server_time: datetime


@dataclass(frozen=True, slots=True)
class ServiceToken:
    """With what a service calls quotad, as an operator sees it; never its secret."""

    token_id: str
    name: str
    role: TokenRole
    tenant_ids: tuple[str, ...]
    """The tenants that it may touch; empty means all."""
    may_charge_unreserved: bool
    create_time: datetime
    revoke_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes an edit: the name of the caller's service token, and whom it says that it acts for."""

    token_name: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change, as it was made."""

    entry_id: str
    tenant_id: str
    """Empty where it concerns all tenants, as for a service token."""
    create_time: datetime
    author: Author
    action: str
    resource_kind: str
    resource_id: str
    before: str
    """The resource as JSON, without any secret; empty where there was none."""
    after: str
