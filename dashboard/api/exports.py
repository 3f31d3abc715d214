"""Files of the tables that operators change. Routed before the resources themselves: `export` is no id."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter
from starlette.responses import StreamingResponse

from dashboard import audit_pages
from dashboard.api.accounts import Account, account_answer
from dashboard.api.api_keys import ApiKey, api_key_answer
from dashboard.api.audit import PAGE_SIZE_MAX, AuditEntry, AuditSource
from dashboard.api.groups import Group, group_answer
from dashboard.export import FILES, PAGE_ROWS, Export, Format, Page, Turn, export
from dashboard.services import Admin, ServicesNeeded
from proxy.records.listed import read_listed

router = APIRouter(dependencies=[Turn])


@router.get("/api/api-keys/export", tags=["api-keys"], response_class=StreamingResponse, responses=FILES)
async def export_api_keys(form: Format, admin: Admin, services: ServicesNeeded) -> Export:
    """All keys that are not deleted as a file, with their limits."""

    async def read_page(token: str) -> Page[ApiKey]:
        page = await admin.list_api_keys(page_size=PAGE_ROWS, page_token=token)
        return [api_key_answer(key) for key in page.keys], page.next_page_token

    return await export(read_page, ApiKey, form, "keys", services.settings.export_seconds_max)


@router.get("/api/accounts/export", tags=["accounts"], response_class=StreamingResponse, responses=FILES)
async def export_accounts(form: Format, services: ServicesNeeded) -> Export:
    """All upstream accounts as a file, never their secrets."""

    async def read_page(_token: str) -> Page[Account]:
        async with services.database.transaction() as connection:
            accounts = await read_listed(connection)
        now = datetime.now(UTC)
        return [account_answer(account, now) for account in accounts], ""

    return await export(read_page, Account, form, "accounts", services.settings.export_seconds_max)


@router.get("/api/groups/export", tags=["groups"], response_class=StreamingResponse, responses=FILES)
async def export_groups(form: Format, admin: Admin, services: ServicesNeeded) -> Export:
    """All groups as a file, with their limits."""

    async def read_page(token: str) -> Page[Group]:
        page = await admin.list_groups(page_size=PAGE_ROWS, page_token=token)
        return [group_answer(group) for group in page.groups], page.next_page_token

    return await export(read_page, Group, form, "groups", services.settings.export_seconds_max)


@router.get("/api/audit/export", tags=["audit"], response_class=StreamingResponse, responses=FILES)
async def export_audit_entries(
    form: Format, admin: Admin, services: ServicesNeeded, source: AuditSource = AuditSource.ALL
) -> Export:
    """The audit log as a file, the latest first."""

    async def read_page(token: str) -> Page[AuditEntry]:
        page = await audit_pages.read_page(services.database, admin, source.sources(), token, PAGE_SIZE_MAX)
        return [AuditEntry.model_validate(entry) for entry in page.entries], page.next_page_token

    return await export(read_page, AuditEntry, form, "audit", services.settings.export_seconds_max)
