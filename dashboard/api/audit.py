"""Who changed what: the dashboard's own log and quotad's as one list."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query

from dashboard.api.schema import Answer, Moment
from dashboard.audit_pages import Merged, Source, read_page
from dashboard.services import Admin, ServicesNeeded

router = APIRouter(prefix="/api/audit", tags=["audit"])

PAGE_SIZE = 50
PAGE_SIZE_MAX = 200
PAGE_TOKEN_CHARACTERS_MAX = 1024


class AuditEntry(Answer):
    """One change, as it was made."""

    entry_id: str
    """Of its own among those of its source."""
    source: Source
    create_time: Moment
    actor: str
    """Who: the operator by session and address, or a command by its user of the operating system."""
    token_name: str
    """The service token that quotad was asked with; empty for the dashboard's own changes."""
    action: str
    resource_kind: str
    resource_id: str
    before: str
    """The resource as JSON, without any secret; empty where there was none."""
    after: str


class AuditEntries(Answer):
    """Some changes, the latest first."""

    entries: list[AuditEntry]
    next_page_token: str
    """Empty on the last page."""


class AuditSource(StrEnum):
    """Whose changes are wanted."""

    ALL = "all"
    DASHBOARD = "dashboard"
    QUOTAD = "quotad"

    def sources(self) -> frozenset[Source]:
        return frozenset(Source) if self is AuditSource.ALL else frozenset({Source(self.value)})


@router.get("")
async def list_audit_entries(
    services: ServicesNeeded,
    admin: Admin,
    limit: Annotated[int, Query(ge=1, le=PAGE_SIZE_MAX)] = PAGE_SIZE,
    page_token: Annotated[str, Query(alias="pageToken", max_length=PAGE_TOKEN_CHARACTERS_MAX)] = "",
    source: AuditSource = AuditSource.ALL,
) -> AuditEntries:
    """List changes: of keys, groups and tokens in quotad's log, of sign-in, accounts and settings in this one's."""
    page = await read_page(services.database, admin, source.sources(), page_token, limit)
    return AuditEntries(entries=[_answer(one) for one in page.entries], next_page_token=page.next_page_token)


def _answer(entry: Merged) -> AuditEntry:
    return AuditEntry.model_validate(entry)
