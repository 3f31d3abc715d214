"""API keys with their limits and usage: quotad's, through its admin API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from fastapi import APIRouter, Path, Query, status
from pydantic import Field, model_validator

from dashboard.api.limits import GroupLimitStatus, LimitStatus, NewLimit, group_limit_answer, limit_answer
from dashboard.api.policies import NewPolicies, Policies
from dashboard.api.schema import Answer, FilterText, Input, Moment
from dashboard.api.usage import Usage, UsageAsked, usage_of_keys
from dashboard.auth.step_up import STEPPED_UP
from dashboard.edit_errors import RotatedSecretLost, SecretLost
from dashboard.services import Admin
from quotad.client.types import UNSET, CreatedKey, KeyDescription

router = APIRouter(prefix="/api/api-keys", tags=["api-keys"])

PAGE_SIZE_MAX = 1000
GRACE_SECONDS_MAX = 30 * 86_400

KeyId = Annotated[FilterText, Path(alias="apiKeyId")]


class GroupName(Answer):
    """One step of the path from a tree's root to a key."""

    group_id: str
    name: str


class ApiKey(Answer):
    """A key as its operator sees it; never its secret."""

    api_key_id: str
    name: str
    secret_prefix: str
    disabled: bool
    expire_time: Moment | None
    create_time: Moment
    update_time: Moment
    delete_time: Moment | None
    etag: str
    """Changes with every edit; give it back to refuse an edit made on stale data."""
    allowed_models: list[str]
    """Exact names or `prefix*`; empty allows every model."""
    policies: Policies
    limits: list[LimitStatus]
    """Its own, without those of its groups."""
    group_path: list[GroupName]
    """From the root of the tree down to the key's own group; empty outside of groups."""
    group_limits: list[GroupLimitStatus]
    """Those of its groups, its own group's first; every key below a group shares them."""
    old_secrets_expire_time: Moment | None
    """When the last of the secrets that rotations replaced stops working."""


class ApiKeys(Answer):
    """Some keys, oldest first."""

    api_keys: list[ApiKey]
    next_page_token: str
    """Empty on the last page."""
    server_time: Moment | None
    """The ledger's clock, by which windows reset; null where there is no key."""


class NewApiKey(Input):
    """A key to be made."""

    name: str
    limits: list[NewLimit] = Field(default=[])
    allowed_models: list[str] = Field(default=[], description="Exact names or `prefix*`; empty allows every model.")
    expire_time: Moment | None = Field(default=None, description="Null never expires.")
    policies: NewPolicies = NewPolicies()
    group_id: FilterText = Field(default="", description="The group whose limits bind it too; empty for none.")


class CreatedApiKey(Answer):
    """A key's new secret, shown this once."""

    api_key_id: str
    name: str
    secret_prefix: str
    secret: str


class Rotation(Input):
    """Another secret for a key."""

    grace_seconds: int = Field(
        default=0, ge=0, le=GRACE_SECONDS_MAX, description="How long the present secret goes on working."
    )
    etag: FilterText = Field(default="", description="Refuses it when the key was changed since it was read.")


class ApiKeyChanges(Input):
    """What to change. A field that is left out, or null, stays; only `expireTime: null` means never."""

    etag: str = Field(default="", description="Refuses the edit when the key was changed since it was read.")
    name: str | None = None
    disabled: bool | None = None
    expire_time: Moment | None = None
    allowed_models: list[str] | None = None
    limits: list[NewLimit] | None = Field(default=None, description="Replaces the set of limits.")
    policies: NewPolicies | None = Field(default=None, description="Replaces all of them.")
    group_id: FilterText | None = Field(default=None, description="Moves the key; empty takes it out of its group.")

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        others = (self.name, self.disabled, self.allowed_models, self.limits, self.policies, self.group_id)
        if "expire_time" not in self.model_fields_set and all(value is None for value in others):
            raise ValueError("name at least one field to change")
        return self


@router.get("")
async def list_api_keys(
    admin: Admin,
    page_size: Annotated[int, Query(alias="pageSize", ge=1, le=PAGE_SIZE_MAX)] = 100,
    page_token: Annotated[FilterText, Query(alias="pageToken")] = "",
) -> ApiKeys:
    """List the keys that are not deleted, with the state of their limits."""
    page = await admin.list_api_keys(page_size=page_size, page_token=page_token)
    return ApiKeys(
        api_keys=[api_key_answer(key) for key in page.keys],
        next_page_token=page.next_page_token,
        server_time=page.keys[0].server_time if page.keys else None,
    )


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_api_key(body: NewApiKey, admin: Admin) -> CreatedApiKey:
    """Make a key; its secret is in this answer only."""
    created = await admin.create_api_key(
        body.name,
        limits=[limit.value() for limit in body.limits],
        allowed_models=body.allowed_models,
        expire_time=body.expire_time,
        policies=body.policies.value(),
        group_id=body.group_id,
    )
    if not created.secret:
        raise SecretLost(created.api_key.api_key_id)
    return _with_secret(created)


@router.get("/{apiKeyId}")
async def get_api_key(api_key_id: KeyId, admin: Admin) -> ApiKey:
    """Read one key with the state of its limits."""
    return api_key_answer(await admin.get_api_key(api_key_id))


@router.patch("/{apiKeyId}")
async def update_api_key(api_key_id: KeyId, body: ApiKeyChanges, admin: Admin) -> ApiKey:
    """Change a key; limits that stay, or come back, keep their counters."""
    await admin.update_api_key(
        api_key_id,
        etag=body.etag,
        name=UNSET if body.name is None else body.name,
        disabled=UNSET if body.disabled is None else body.disabled,
        expire_time=body.expire_time if "expire_time" in body.model_fields_set else UNSET,
        allowed_models=UNSET if body.allowed_models is None else body.allowed_models,
        limits=UNSET if body.limits is None else [limit.value() for limit in body.limits],
        policies=UNSET if body.policies is None else body.policies.value(),
        group_id=UNSET if body.group_id is None else body.group_id,
    )
    return api_key_answer(await admin.get_api_key(api_key_id))


@router.delete("/{apiKeyId}", status_code=status.HTTP_204_NO_CONTENT, dependencies=[STEPPED_UP])
async def delete_api_key(api_key_id: KeyId, admin: Admin, etag: FilterText = "") -> None:
    """Delete a key: new requests are refused at once, running ones are still charged."""
    await admin.delete_api_key(api_key_id, etag)


@router.post("/{apiKeyId}/rotate", dependencies=[STEPPED_UP])
async def rotate_api_key(api_key_id: KeyId, body: Rotation, admin: Admin) -> CreatedApiKey:
    """Give a key another secret, which is in this answer only."""
    grace = timedelta(seconds=body.grace_seconds)
    rotated = await admin.rotate_api_key(api_key_id, grace=grace, etag=body.etag)
    if not rotated.secret:
        raise RotatedSecretLost(api_key_id)
    return _with_secret(rotated)


@router.get("/{apiKeyId}/usage")
async def get_api_key_usage(api_key_id: KeyId, query: UsageAsked, admin: Admin) -> Usage:
    """What a key was charged over time and by model."""
    await admin.get_api_key(api_key_id)
    return await usage_of_keys(admin, (api_key_id,), query, datetime.now(UTC))


def _with_secret(created: CreatedKey) -> CreatedApiKey:
    key = created.api_key
    return CreatedApiKey(
        api_key_id=key.api_key_id, name=key.name, secret_prefix=key.secret_prefix, secret=created.secret
    )


def api_key_answer(description: KeyDescription) -> ApiKey:
    key = description.api_key
    return ApiKey(
        api_key_id=key.api_key_id,
        name=key.name,
        secret_prefix=key.secret_prefix,
        disabled=key.disabled,
        expire_time=key.expire_time,
        create_time=key.create_time,
        update_time=key.update_time,
        delete_time=key.delete_time,
        etag=key.etag,
        allowed_models=list(key.allowed_models),
        policies=Policies.model_validate(key.policies),
        limits=[limit_answer(status) for status in description.limits if not status.owner.group_id],
        group_path=[GroupName(group_id=step.group_id, name=step.name) for step in description.group_path],
        group_limits=[group_limit_answer(status) for status in description.limits if status.owner.group_id],
        old_secrets_expire_time=key.old_secrets_expire_time,
    )
