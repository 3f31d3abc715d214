"""Rate limits as callers meet them: how full each is, the headers that a proxy sends, and the accounts' windows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from starlette.responses import StreamingResponse

from dashboard.account_windows import AccountWindow, account_windows
from dashboard.api.limits import LimitOwner, LimitStatus, limit_answer, owner_answer
from dashboard.api.schema import Answer, FilterText, Moment
from dashboard.export import FILES, PAGE_ROWS, Export, Format, Page, Turn, export
from dashboard.services import Admin, ServicesNeeded
from quotad.client.limit_headers import applies_to, limit_headers
from quotad.client.types import LimitOrder
from quotad.client.types import LimitStatus as LimitStatusValue

router = APIRouter(prefix="/api/rate-limits", tags=["rate-limits"])

PAGE_SIZE_MAX = 200


class LimitFilters(BaseModel):
    """Which limits are meant, and in what order."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True)

    order: LimitOrder = Field(
        default=LimitOrder.UTILISATION, description="The fullest first, or the next to reset first."
    )
    owner_id: FilterText = Field(default="", description="Only the limits of the key or the group of this id.")


class LimitQuery(LimitFilters):
    """Which page of them is asked for."""

    page_size: int = Field(default=50, ge=1, le=PAGE_SIZE_MAX)
    page_token: FilterText = ""


class OwnedLimit(LimitStatus):
    """A limit, whose it is, and what its window holds."""

    owner: LimitOwner
    utilisation: float
    """What is used or held of the maximum; 1 is full, and more is possible."""


class RateLimits(Answer):
    """Some limits in the order asked for, and all accounts' windows."""

    limits: list[OwnedLimit]
    next_page_token: str
    """Empty on the last page."""
    account_windows: list[AccountWindow]
    server_time: Moment


class Header(Answer):
    """One line of an answer's head."""

    name: str
    value: str


class KeyHeaders(Answer):
    """What a proxy tells the holder of a key at this moment."""

    api_key_id: str
    name: str
    model: str
    """The model that was asked about; empty for requests without one."""
    headers: list[Header]
    """Empty where no enforced limit applies."""
    server_time: Moment


@router.get("")
async def list_rate_limits(query: Annotated[LimitQuery, Query()], admin: Admin, services: ServicesNeeded) -> RateLimits:
    """List limits by how full they are, and the accounts' usage windows with the age of each sample."""
    page = await admin.list_limits(
        order=query.order, api_key_id=query.owner_id, page_size=query.page_size, page_token=query.page_token
    )
    now = datetime.now(UTC)
    async with services.database.transaction() as connection:
        windows = await account_windows(connection, now)
    return RateLimits(
        limits=[owned_limit(status) for status in page.items],
        next_page_token=page.next_page_token,
        account_windows=windows,
        server_time=now,
    )


@router.get("/export", response_class=StreamingResponse, responses=FILES, dependencies=[Turn])
async def export_rate_limits(
    query: Annotated[LimitFilters, Query()], form: Format, admin: Admin, services: ServicesNeeded
) -> Export:
    """All limits as a file."""

    async def read_page(token: str) -> Page[OwnedLimit]:
        page = await admin.list_limits(
            order=query.order, api_key_id=query.owner_id, page_size=PAGE_ROWS, page_token=token
        )
        return [owned_limit(status) for status in page.items], page.next_page_token

    return await export(read_page, OwnedLimit, form, "rate-limits", services.settings.export_seconds_max)


@router.get("/headers")
async def get_rate_limit_headers(
    admin: Admin,
    api_key_id: Annotated[FilterText, Query(alias="apiKeyId")],
    model: Annotated[FilterText, Query(description="As a request for this model is answered.")] = "",
) -> KeyHeaders:
    """The rate-limit headers that a proxy sends for this key at this moment, from the same ledger by the same rule."""
    key = await admin.get_api_key(api_key_id)
    shown = [status for status in key.limits if not model or applies_to(status, model)]
    return KeyHeaders(
        api_key_id=key.api_key.api_key_id,
        name=key.api_key.name,
        model=model,
        headers=[Header(name=name, value=value) for name, value in limit_headers(shown, key.server_time)],
        server_time=key.server_time,
    )


def owned_limit(status: LimitStatusValue) -> OwnedLimit:
    maximum = status.limit.max_value
    taken = status.used + status.held
    return OwnedLimit(
        **limit_answer(status).model_dump(),
        owner=owner_answer(status.owner),
        utilisation=taken / maximum if maximum else 1.0,
    )
