"""Which tenant and key an operation is about: from what is remembered, else from the database."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from quotad.core.operations import Operation, Renew, Reserve
from quotad.core.validation import check_id
from quotad.errors import ApiKeyUnknown, InvalidRequest
from quotad.store import statements, statements_keys
from quotad.store.cache import Cache, KnownSecret
from quotad.store.configuration import secret_hash
from quotad.store.connections import Connection
from quotad.values import DEFAULT_TENANT, Scope, Subject

SECRET_COLUMNS = ("tenant_id", "api_key_id", "config_version", "expire_time")


class Target(NamedTuple):
    """Whose rows an operation is about; the key is empty where it names none."""

    tenant_id: str
    api_key_id: str = ""
    config_version: int | None = None
    """Of the tenant when a secret was looked up; None where the key was named by its id."""
    secret_expire_time: datetime | None = None
    """When that secret stops working, or stopped, because a rotation replaced it."""


class Resolver:
    """Looks keys and tenants up, each once while the tenant's configuration stays as it is."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def known(self, operation: Operation) -> Target | None:
        """The target if it needs no look into the database. Raises `InvalidRequest`."""
        if isinstance(operation, Reserve):
            return self._known_key(operation.subject)
        scope = operation.scope
        if scope.api_key is not None or scope.api_key_id is not None:
            return self._known_key(scope)
        if scope.tenant_id is not None:
            check_id("tenant_id", scope.tenant_id)
            return Target(scope.tenant_id)
        if isinstance(operation, Renew) or self._cache.open_reservation(DEFAULT_TENANT, operation.reservation_id):
            return Target(DEFAULT_TENANT)
        return None

    async def look_up(self, connection: Connection, operation: Operation) -> Target:
        """Raises `ApiKeyUnknown` or `InvalidRequest`.

        An unset scope means the default tenant. While there are others, an id that is unknown there is more likely one
        of theirs, and is refused rather than answered for the wrong tenant.
        """
        if isinstance(operation, Reserve):
            return await self.key(connection, operation.subject)
        scope = operation.scope
        if scope.api_key is not None or scope.api_key_id is not None:
            return await self.key(connection, scope)
        reservation_id = "" if isinstance(operation, Renew) else operation.reservation_id
        if await connection.fetchval(statements.IS_AMBIGUOUS, DEFAULT_TENANT, reservation_id):
            raise InvalidRequest("scope", "there are several tenants: the scope must name the reservation's")
        return Target(DEFAULT_TENANT)

    async def key(self, connection: Connection, named: Subject | Scope) -> Target:
        """The key's tenant and id; disabled and deleted keys and replaced secrets have them too.

        Raises `ApiKeyUnknown`.
        """
        if named.api_key is not None:
            digest = secret_hash(named.api_key)
            row = await connection.fetchrow(statements_keys.KEY_BY_SECRET, digest)
            if row is not None:
                known = KnownSecret(*(row[name] for name in SECRET_COLUMNS))
                self._cache.note_secret(digest, known)
                return _target(known)
        else:
            row = await connection.fetchrow(statements_keys.KEY_BY_ID, named.api_key_id)
            if row is not None:
                self._cache.note_key_tenant(row["api_key_id"], row["tenant_id"])
                return Target(row["tenant_id"], row["api_key_id"])
        raise ApiKeyUnknown("this API key is unknown")

    def _known_key(self, named: Subject | Scope) -> Target | None:
        if named.api_key is not None:
            secret = self._cache.secret(secret_hash(named.api_key))
            return _target(secret) if secret else None
        api_key_id = named.api_key_id or ""
        tenant_id = self._cache.key_tenant(api_key_id)
        if tenant_id is None:
            check_id("api_key_id", api_key_id)
            return None
        return Target(tenant_id, api_key_id)


def _target(secret: KnownSecret) -> Target:
    return Target(secret.tenant_id, secret.api_key_id, secret.config_version, secret.expire_time)
