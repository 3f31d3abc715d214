"""What an operator asks of a key, and of a service token."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from quotad.administration import TokenRole
from quotad.values import UNSET, KeyPolicies, Limit, Unset

__all__ = ["UNSET", "KeyChanges", "KeyDraft", "TokenDraft", "Unset"]


@dataclass(frozen=True, slots=True)
class KeyDraft:
    """A key to be made."""

    name: str
    limits: tuple[Limit, ...] = ()
    allowed_models: tuple[str, ...] = ()
    expire_time: datetime | None = None
    policies: KeyPolicies = field(default_factory=KeyPolicies)
    disabled: bool = False
    group_id: str = ""


@dataclass(frozen=True, slots=True)
class KeyChanges:
    """An edit: what is not `UNSET` is set; `limits` replace the whole set."""

    name: str | Unset = UNSET
    limits: tuple[Limit, ...] | Unset = UNSET
    allowed_models: tuple[str, ...] | Unset = UNSET
    expire_time: datetime | Unset | None = UNSET
    policies: KeyPolicies | Unset = UNSET
    disabled: bool | Unset = UNSET
    group_id: str | Unset = UNSET


@dataclass(frozen=True, slots=True)
class TokenDraft:
    """A service token to be made; no `tenant_ids` means all tenants."""

    name: str
    role: TokenRole
    tenant_ids: tuple[str, ...] = ()
    may_charge_unreserved: bool = False
