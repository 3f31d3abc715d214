"""The second factor, the sessions and the audit log in the page, over a dashboard of each test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pyotp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.browser.accessibility import serious_findings
from tests.browser.chromium import open_page
from tests.dashboard.world import PASSWORD, Dashboard, running, set_first_password
from tests.support.daemons import ADMIN_TOKEN, quotad

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]

LONG_AGO = (
    "UPDATE dashboard.sessions SET password_time = now() - interval '1 hour', totp_time = totp_time - interval '1 hour'"
)


@dataclass(frozen=True, slots=True)
class Own:
    """A dashboard of the test's own, with a page that is signed in to it."""

    dashboard: Dashboard
    browser: Browser
    page: Page

    async def fresh_code(self, secret: str) -> str:
        """A code of a step that is not spent, as if time had passed since the last one."""
        await self.dashboard.execute("UPDATE dashboard.totp SET last_step = last_step - 10")
        return pyotp.TOTP(secret).now()


@pytest_asyncio.fixture(loop_scope="session")
async def own(browser: Browser, database_url: str) -> AsyncIterator[Own]:
    async with (
        quotad(database_url) as daemon,
        running(database_url, quotad_address=daemon.address, quotad_token=ADMIN_TOKEN) as dashboard,
    ):
        async with dashboard.client() as client:
            assert (await set_first_password(client)).status_code == 200
        await dashboard.execute("DELETE FROM dashboard.sessions")
        async with open_page(browser, dashboard.url) as page:
            await page.goto("/security")
            await sign_in(page)
            await expect(page.get_by_role("heading", name="Security")).to_be_visible()
            yield Own(dashboard, browser, page)


async def sign_in(page: Page) -> None:
    await page.get_by_role("textbox", name="Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()


async def enter(page: Page, code: str, button: str, field: str = "Code") -> None:
    await page.get_by_role("textbox", name=field, exact=True).fill(code)
    await page.get_by_role("button", name=button, exact=True).click()


async def set_up(page: Page) -> tuple[str, list[str]]:
    """Turn one-time passwords on in the page; returns the secret and the recovery codes that it showed."""
    await page.get_by_role("button", name="Set up").click()
    secret = await page.get_by_test_id("totp-secret").inner_text()
    width = await page.get_by_role("img", name="QR code").evaluate("image => image.naturalWidth")
    assert width > 100
    await enter(page, pyotp.TOTP(secret).now(), "Turn on")
    codes = (await page.get_by_test_id("recovery-codes").inner_text()).split()
    await page.get_by_role("button", name="I have saved them").click()
    await expect(page.get_by_text("10 of 10 recovery codes left")).to_be_visible()
    return secret, codes


async def start_sign_in(page: Page) -> None:
    await page.goto("/security")
    await sign_in(page)
    await expect(page.get_by_role("heading", name="Enter a code")).to_be_visible()


async def test_a_code_of_the_app_that_scanned_the_page_signs_in_once(own: Own) -> None:
    """D2"""
    secret, _ = await set_up(own.page)
    code = await own.fresh_code(secret)
    async with open_page(own.browser, own.dashboard.url) as page:
        await start_sign_in(page)
        await enter(page, "000000", "Continue")
        await expect(page.get_by_role("alert")).to_contain_text("code is wrong")
        await enter(page, code, "Continue")
        await expect(page.get_by_role("heading", name="Security")).to_be_visible()
    async with open_page(own.browser, own.dashboard.url) as page:
        await start_sign_in(page)
        await enter(page, code, "Continue")
        await expect(page.get_by_role("alert")).to_contain_text("used already")
        await page.goto("/keys")
        await expect(page.get_by_role("heading", name="Enter a code")).to_be_visible()


async def test_turning_off_takes_one_more_code(own: Own) -> None:
    """D1"""
    secret, _ = await set_up(own.page)
    await own.page.get_by_role("button", name="Turn off").click()
    dialog = own.page.get_by_role("dialog")
    await dialog.get_by_role("textbox", name="Code").fill("000000")
    await dialog.get_by_role("button", name="Turn off").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("code is wrong")
    await dialog.get_by_role("textbox", name="Code").fill(await own.fresh_code(secret))
    await dialog.get_by_role("button", name="Turn off").click()
    await expect(own.page.get_by_role("button", name="Set up")).to_be_visible()


async def test_turning_off_what_another_page_turned_off_is_told(own: Own) -> None:
    """D3"""
    await set_up(own.page)
    await own.page.get_by_role("button", name="Turn off").click()
    await own.dashboard.execute("DELETE FROM dashboard.totp")
    dialog = own.page.get_by_role("dialog")
    await dialog.get_by_role("textbox", name="Code").fill("000000")
    await dialog.get_by_role("button", name="Turn off").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("not set up")


async def test_a_recovery_code_stands_in_for_a_lost_phone(own: Own) -> None:
    _, codes = await set_up(own.page)
    async with open_page(own.browser, own.dashboard.url) as page:
        await start_sign_in(page)
        await page.get_by_role("button", name="Use a recovery code").click()
        await enter(page, codes[0], "Continue", "Recovery code")
        await expect(page.get_by_text("9 of 10 recovery codes left")).to_be_visible()


async def test_what_is_dangerous_asks_again_and_then_goes_on(own: Own) -> None:
    await own.dashboard.execute(LONG_AGO)
    await own.page.get_by_role("button", name="Set up").click()
    confirm = own.page.get_by_role("dialog", name="Confirm that it is you")
    await confirm.get_by_role("textbox", name="Password").fill(PASSWORD)
    await confirm.get_by_role("button", name="Confirm").click()
    await expect(own.page.get_by_test_id("totp-secret")).to_be_visible()
    await own.page.keyboard.press("Escape")

    secret, codes = await set_up(own.page)
    await own.dashboard.execute(LONG_AGO)
    await own.page.get_by_role("button", name="New recovery codes").click()
    await own.page.get_by_role("button", name="Make new codes").click()
    await confirm.get_by_role("textbox", name="Code").fill(await own.fresh_code(secret))
    await confirm.get_by_role("button", name="Confirm").click()
    renewed = (await own.page.get_by_test_id("recovery-codes").inner_text()).split()
    assert len(renewed) == 10
    assert not set(renewed) & set(codes)


async def test_a_session_that_is_ended_has_to_sign_in_again(own: Own) -> None:
    async with open_page(own.browser, own.dashboard.url) as other:
        await other.goto("/keys")
        await sign_in(other)
        await expect(other.get_by_role("heading", name="Keys")).to_be_visible()
        await own.page.reload()
        await own.page.get_by_role("button", name="End session").click()
        await expect(own.page.get_by_role("button", name="End session")).to_have_count(0)
        await other.reload()
        await expect(other.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_the_password_is_changed_in_the_page(own: Own) -> None:
    page = own.page
    await page.get_by_role("button", name="Change password").click()
    await page.get_by_role("textbox", name="Current password").fill(PASSWORD)
    await page.get_by_role("textbox", name="New password", exact=True).fill("another password")
    await page.get_by_role("textbox", name="New password again").fill("another password")
    await page.get_by_role("button", name="Set password").click()
    await expect(page.get_by_text("The password is changed")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", name="Security")).to_be_visible()


async def test_the_audit_log_shows_both_services_changes(own: Own) -> None:
    page = own.page
    await page.goto("/keys")
    await page.get_by_role("button", name="New key").click()
    await page.get_by_role("dialog").get_by_role("textbox", name="Name").fill("audited")
    await page.get_by_role("button", name="Create key").click()
    await page.get_by_role("button", name="I have saved it").click()
    await page.get_by_role("link", name="Audit log").click()
    rows = page.locator("tbody tr")
    await expect(rows.first).to_contain_text("Created key audited")
    await expect(rows.filter(has_text="Set the first password")).to_have_count(1)
    await page.get_by_text("Dashboard", exact=True).click()
    await expect(rows.filter(has_text="audited")).to_have_count(0)
    await page.get_by_text("quotad", exact=True).last.click()
    await expect(rows).to_have_count(1)
    await rows.first.get_by_role("button").press("Enter")
    await expect(page.get_by_role("dialog")).to_contain_text('"name": "audited"')
    await expect(page.get_by_role("dialog")).to_contain_text("operator session=")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_serious_stands_in_the_way_of_a_screen_reader(own: Own, scheme: str) -> None:
    page = own.page
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    assert await serious_findings(page) == []
    await page.get_by_role("button", name="Set up").click()
    secret = await page.get_by_test_id("totp-secret").inner_text()
    assert await serious_findings(page) == []
    await enter(page, pyotp.TOTP(secret).now(), "Turn on")
    await expect(page.get_by_test_id("recovery-codes")).to_be_visible()
    assert await serious_findings(page) == []
    await page.goto("/audit")
    await page.locator("tbody tr").first.get_by_role("button").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert await serious_findings(page) == []
    async with open_page(own.browser, own.dashboard.url) as stranger:
        await stranger.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        await start_sign_in(stranger)
        assert await serious_findings(stranger) == []
