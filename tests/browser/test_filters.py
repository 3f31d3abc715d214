"""The filters of the Requests page, which live in its address."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import Operator
from tests.browser.steps import (
    LOGGED_MILLISECONDS,
    Rule,
    choose_action,
    choose_value,
    create_key,
    request_rows,
    respond,
)

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]


def chosen(page: Page, value: str) -> Locator:
    return page.locator(f'[data-filter="{value}"]')


def address(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


async def test_filters_survive_a_reload_and_stale_ones_leave_alone(page: Page, operator: Operator) -> None:
    """D4, D5"""
    secret = await create_key(page, "filtered", Rule(1_000_000))
    for model in ("gpt-5.1", "gpt-5-mini"):
        await respond(operator.proxy, secret, model)
    await choose_action(page, "filtered", "Its requests")
    await expect(request_rows(page)).to_have_count(2, timeout=LOGGED_MILLISECONDS)
    await page.goto(f"{page.url}&model=filter-gone")
    await expect(chosen(page, "filter-gone")).to_contain_text("stale")
    await expect(page.get_by_text("No request matches")).to_be_visible()

    await choose_value(page, "Model", "gpt-5-mini")
    await expect(request_rows(page)).to_have_count(1)
    assert address(page)["model"] == ["filter-gone", "gpt-5-mini"]

    await page.reload()
    await expect(request_rows(page)).to_have_count(1)
    await chosen(page, "filter-gone").get_by_role("button", name="Remove").click()
    await expect(chosen(page, "filter-gone")).to_have_count(0)
    await expect(chosen(page, "gpt-5-mini")).not_to_contain_text("stale")
    assert address(page)["model"] == ["gpt-5-mini"]

    await page.get_by_role("button", name="Clear all").click()
    await page.wait_for_url("**/requests")


async def test_the_status_is_never_sent_to_the_options(page: Page, operator: Operator) -> None:
    """D6"""
    await respond(operator.proxy, operator.stack.ready["demo_api_key"])
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto("/requests?status=ok&range=24h")
    await expect(request_rows(page).first).to_be_visible(timeout=LOGGED_MILLISECONDS)
    await expect(chosen(page, "ok")).not_to_contain_text("stale")
    await choose_value(page, "Status", "OK")
    await expect(chosen(page, "ok")).to_have_count(0)
    await choose_value(page, "Status", "OK")
    await expect(chosen(page, "ok")).to_be_visible()

    options = [url for url in asked if "/api/request-logs/options" in url]
    lists = [url for url in asked if "/api/request-logs?" in url]
    assert options
    assert not any("status" in url for url in options)
    assert any("status=ok" in url for url in lists)


async def test_typing_searches_after_a_pause_and_a_page_past_the_end_leads_back(page: Page, operator: Operator) -> None:
    await respond(operator.proxy, operator.stack.ready["demo_api_key"])
    await page.goto("/requests")
    await expect(request_rows(page).first).to_be_visible(timeout=LOGGED_MILLISECONDS)
    await page.keyboard.press("/")
    await page.keyboard.type("no such request")
    await expect(page.get_by_text("No request matches")).to_be_visible()
    assert address(page)["search"] == ["no such request"]
    await page.goto("/requests?page=9000")
    await page.get_by_role("button", name="Go to the last page").click()
    await expect(request_rows(page).first).to_be_visible()
