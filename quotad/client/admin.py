"""The control plane: keys and their limits, as an operator's tools edit them; groups and tokens with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from urllib.parse import quote

import uuid_utils
from google.protobuf.field_mask_pb2 import FieldMask

from protos.quota.v1 import quota_pb2 as pb
from quotad.client.channel import Metadata, building
from quotad.client.connection import Connection
from quotad.client.groups import GroupAdmin
from quotad.client.records import RecordAdmin
from quotad.client.tokens import TokenAdmin
from quotad.client.types import CreatedKey, KeyPage
from quotad.values import DEFAULT_TENANT, UNSET, ApiKey, KeyDescription, KeyPolicies, Limit, Unset
from quotad.wire.keys import policies_message, read_api_key, read_description
from quotad.wire.limits import limit_message
from quotad.wire.scalars import duration, timestamp

ACTOR_METADATA = "quota-actor"


class AdminClient(GroupAdmin, TokenAdmin, RecordAdmin):
    """Needs a token of role `admin`. `actor` says who asked; the audit log keeps it beside the token's name."""

    def __init__(self, connection: Connection, actor: str) -> None:
        self._connection = connection
        self._metadata: Metadata = ((ACTOR_METADATA, quote(actor, safe="@:./+")),)

    async def create_api_key(
        self,
        name: str,
        *,
        limits: Iterable[Limit] = (),
        tenant_id: str = DEFAULT_TENANT,
        request_id: str | None = None,
        allowed_models: Sequence[str] = (),
        expire_time: datetime | None = None,
        policies: KeyPolicies = KeyPolicies(),
        disabled: bool = False,
        group_id: str = "",
    ) -> CreatedKey:
        """Make a key. The secret is in the first answer only; a repeat with the same `request_id` has none."""
        with building():
            request = pb.CreateApiKeyRequest(
                request_id=request_id or str(uuid_utils.uuid7()),
                tenant_id=tenant_id,
                api_key=pb.ApiKey(
                    name=name,
                    disabled=disabled,
                    expire_time=timestamp(expire_time),
                    allowed_models=allowed_models,
                    policies=policies_message(policies),
                    limits=[limit_message(limit) for limit in limits],
                    group_id=group_id,
                ),
            )
        return await self._connection.call(
            lambda stubs: stubs.admin.CreateApiKey,
            request,
            lambda response: CreatedKey(read_api_key(response.api_key, "api_key"), response.secret),
            metadata=self._metadata,
        )

    async def get_api_key(self, api_key_id: str, tenant_id: str = DEFAULT_TENANT) -> KeyDescription:
        with building():
            request = pb.GetApiKeyRequest(tenant_id=tenant_id, api_key_id=api_key_id)
        return await self._connection.call(
            lambda stubs: stubs.admin.GetApiKey, request, read_description, metadata=self._metadata
        )

    async def list_api_keys(
        self,
        tenant_id: str = DEFAULT_TENANT,
        name: str = "",
        page_size: int = 100,
        page_token: str = "",
        group_id: str = "",
    ) -> KeyPage:
        """A page of keys, oldest first; only those of exactly this name and group, where these are given."""
        with building():
            request = pb.ListApiKeysRequest(
                tenant_id=tenant_id, page_size=page_size, page_token=page_token, name=name, group_id=group_id
            )
        return await self._connection.call(
            lambda stubs: stubs.admin.ListApiKeys, request, _read_page, metadata=self._metadata
        )

    async def update_api_key(
        self,
        api_key_id: str,
        *,
        tenant_id: str = DEFAULT_TENANT,
        etag: str = "",
        name: str | Unset = UNSET,
        disabled: bool | Unset = UNSET,
        expire_time: datetime | Unset | None = UNSET,
        allowed_models: Sequence[str] | Unset = UNSET,
        policies: KeyPolicies | Unset = UNSET,
        limits: Iterable[Limit] | Unset = UNSET,
        group_id: str | Unset = UNSET,
    ) -> ApiKey:
        """Change what is given; `limits` replaces the set. With an `etag`, stale data raises `EtagMismatch`."""
        with building():
            fields = {
                "name": name,
                "disabled": disabled,
                "expire_time": expire_time if isinstance(expire_time, Unset) else timestamp(expire_time),
                "allowed_models": allowed_models,
                "policies": policies if isinstance(policies, Unset) else policies_message(policies),
                "limits": limits if isinstance(limits, Unset) else [limit_message(limit) for limit in limits],
                "group_id": group_id,
            }
            given = {field: value for field, value in fields.items() if value is not UNSET}
            request = pb.UpdateApiKeyRequest(
                tenant_id=tenant_id,
                api_key=pb.ApiKey(api_key_id=api_key_id, etag=etag, **given),  # type: ignore[arg-type]
                update_mask=FieldMask(paths=list(given)),
            )
        return await self._connection.call(
            lambda stubs: stubs.admin.UpdateApiKey,
            request,
            lambda response: read_api_key(response.api_key, "api_key"),
            metadata=self._metadata,
        )

    async def rotate_api_key(
        self,
        api_key_id: str,
        *,
        grace: timedelta = timedelta(),
        tenant_id: str = DEFAULT_TENANT,
        etag: str = "",
        request_id: str | None = None,
    ) -> CreatedKey:
        """Give a key another secret; the present one works for `grace` more, and then only to settle.

        The secret is in the first answer only; a repeat with the same `request_id` has none and changes nothing.
        """
        with building():
            request = pb.RotateApiKeyRequest(
                request_id=request_id or str(uuid_utils.uuid7()),
                tenant_id=tenant_id,
                api_key_id=api_key_id,
                grace=duration(grace),
                etag=etag,
            )
        return await self._connection.call(
            lambda stubs: stubs.admin.RotateApiKey,
            request,
            lambda response: CreatedKey(read_api_key(response.api_key, "api_key"), response.secret),
            metadata=self._metadata,
        )

    async def delete_api_key(self, api_key_id: str, etag: str = "", tenant_id: str = DEFAULT_TENANT) -> ApiKey:
        """Refuse new reservations and renewals from now on; open ones can still be settled."""
        with building():
            request = pb.DeleteApiKeyRequest(tenant_id=tenant_id, api_key_id=api_key_id, etag=etag)
        return await self._connection.call(
            lambda stubs: stubs.admin.DeleteApiKey,
            request,
            lambda response: read_api_key(response.api_key, "api_key"),
            metadata=self._metadata,
        )


def _read_page(response: pb.ListApiKeysResponse) -> KeyPage:
    keys = tuple(read_description(item, f"api_keys[{n}]") for n, item in enumerate(response.api_keys))
    return KeyPage(keys, response.next_page_token)
