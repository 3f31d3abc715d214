"""Getting in, and what is there for whoever is not in."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import PASSWORD

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]


async def sign_in(page: Page, password: str) -> None:
    await page.get_by_role("textbox", name="Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()


async def test_a_wrong_password_is_told_and_the_right_one_leads_on(stranger: Page) -> None:
    await stranger.goto("/keys")
    await sign_in(stranger, "not the password")
    await expect(stranger.get_by_role("alert")).to_contain_text("password is wrong")
    await sign_in(stranger, PASSWORD)
    await expect(stranger.get_by_role("heading", name="Keys")).to_be_visible()

    await stranger.get_by_role("button", name="Sign out").click()
    await expect(stranger.get_by_role("heading", name="Sign in")).to_be_visible()
    await stranger.goto("/requests")
    await expect(stranger.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_the_first_start_is_over_once_there_is_a_password(stranger: Page) -> None:
    await stranger.goto("/first-start")
    await expect(stranger.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_after_signing_in_nobody_is_led_to_another_host(stranger: Page) -> None:
    await stranger.goto("/sign-in?next=//example.com/")
    await sign_in(stranger, PASSWORD)
    await expect(stranger.get_by_role("heading", name="Overview")).to_be_visible()


async def test_an_unknown_address_says_so(page: Page) -> None:
    await page.goto("/no/such/page")
    await expect(page.get_by_text("There is no such page")).to_be_visible()
    await page.get_by_role("link", name="Go to Requests").click()
    await expect(page.get_by_role("heading", name="Requests")).to_be_visible()


async def test_an_ended_session_leads_back_to_the_sign_in(page: Page) -> None:
    await page.goto("/accounts")
    await expect(page.get_by_role("row", name="demo")).to_contain_text("Active")
    await page.context.clear_cookies()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=20_000)


async def test_a_narrow_and_dark_screen_has_everything(page: Page) -> None:
    await page.emulate_media(color_scheme="dark")
    await page.set_viewport_size({"width": 390, "height": 800})
    await page.goto("/requests")
    await page.get_by_role("button", name="Navigation").click()
    await page.get_by_role("link", name="Accounts").click()
    await expect(page.get_by_role("heading", name="Accounts")).to_be_visible()
    assert await page.locator("html").get_attribute("data-mantine-color-scheme") == "dark"
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert await page.evaluate(overflow) == 0


async def test_what_was_read_stays_in_sight_while_the_service_is_away(page: Page) -> None:
    await page.goto("/accounts")
    demo = page.get_by_role("row", name="demo")
    await expect(demo).to_be_visible()
    await page.route("**/api/**", lambda route: route.abort())
    await expect(page.get_by_role("status")).to_contain_text("does not answer", timeout=20_000)
    await expect(demo).to_be_visible()
    await page.unroute("**/api/**")
    await expect(page.get_by_role("status")).to_have_count(0)
