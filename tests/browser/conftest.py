"""A running stack whose dashboard got its first password in the page itself, and pages that are signed in to it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, StorageState, expect

from tests.browser.chromium import chromium, open_page
from tests.support.stack import RunningStack, running_stack

PASSWORD = "a password of four words"
BOOTSTRAP_TOKEN = re.compile(r"bootstrap token\W+(\S+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Operator:
    """Who runs the stack: signed in once, by the page's first start."""

    stack: RunningStack
    cookies: StorageState

    @property
    def dashboard(self) -> str:
        return self.stack.ready["dashboard"]

    @property
    def proxy(self) -> str:
        return self.stack.ready["proxies"][0]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def operator(stack: RunningStack, browser: Browser) -> Operator:
    """Every visit leads to the first start; a wrong token is told, the right one signs in."""
    token = BOOTSTRAP_TOKEN.search(stack.process.output)
    assert token, f"no bootstrap token was printed:\n{stack.process.output}"
    async with open_page(browser, stack.ready["dashboard"]) as page:
        await page.goto("/keys")
        await fill_first_start(page, "not-the-token")
        await expect(page.get_by_role("alert")).to_be_visible()
        await fill_first_start(page, token[1])
        await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        return Operator(stack, await page.context.storage_state())


async def fill_first_start(page: Page, token: str) -> None:
    await page.get_by_role("textbox", name="Bootstrap token").fill(token)
    await page.get_by_role("textbox", name="New password", exact=True).fill(PASSWORD)
    await page.get_by_role("textbox", name="New password again").fill(PASSWORD)
    await page.get_by_role("button", name="Set password").click()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, operator: Operator) -> AsyncIterator[Page]:
    """A page that is signed in."""
    async with open_page(browser, operator.dashboard, operator.cookies) as signed_in:
        yield signed_in


@pytest_asyncio.fixture(loop_scope="session")
async def stranger(browser: Browser, operator: Operator) -> AsyncIterator[Page]:
    """A page of somebody who is not signed in."""
    async with open_page(browser, operator.dashboard) as unknown:
        yield unknown
