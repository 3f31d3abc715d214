"""What operators watch: refusals, rate limits, holds."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from openai import APIStatusError
from playwright.async_api import Page, expect

from quotad.client.quota_client import QuotaClient
from tests.browser.accessibility import serious_findings
from tests.browser.conftest import Operator
from tests.browser.steps import LOGGED_MILLISECONDS, MODEL, Rule, create_key, respond

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]


async def hold(operator: Operator, secret: str, reservation_id: str) -> None:
    ready = operator.stack.ready
    async with QuotaClient(ready["quotad"], ready["quotad_data_token"]) as client:
        await client.reserve(
            reservation_id, api_key=secret, model=MODEL, amounts={"total_tokens": 1234}, lease_seconds=600
        )


async def test_a_refusal_names_its_limit_and_says_when_it_fits(page: Page, operator: Operator) -> None:
    """B7"""
    secret = await create_key(page, "refused", Rule(1, "Requests", "per day"))
    await respond(operator.proxy, secret)
    with pytest.raises(APIStatusError):
        await respond(operator.proxy, secret)
    await page.goto("/refusals?range=1h")
    card = page.get_by_role("article", name="refused: Requests per day")
    await expect(card).to_contain_text("Full now", timeout=LOGGED_MILLISECONDS)
    await expect(card).to_contain_text("Asked for 1, 0 free of 1: 1 used.")
    await expect(card).to_contain_text("It fits when the window resets")
    await card.get_by_role("link", name="refused").first.click()
    await expect(page.get_by_role("article", name="Key refused", exact=True)).to_be_visible()


async def test_a_hold_is_seen_at_once_and_given_back_with_a_reason(page: Page, operator: Operator) -> None:
    secret = await create_key(page, "holding", Rule(5_000))
    await page.goto("/reservations")
    await expect(page.get_by_role("button", name="Live")).to_be_visible()
    await hold(operator, secret, "browser-hold")
    row = page.get_by_role("row", name="holding")
    await expect(row).to_contain_text("1,234 tokens")
    await row.get_by_role("button", name="Give back").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Give back").click()
    await expect(dialog).to_contain_text("Say why")
    await dialog.get_by_role("textbox", name="Reason").fill("left behind")
    await dialog.get_by_role("checkbox").check()
    await dialog.get_by_role("button", name="Give back").click()
    await expect(row).to_have_count(0)
    await page.goto("/reservations?state=expired")
    await expect(page.get_by_role("row", name="holding")).to_contain_text("left behind")


async def test_a_key_shows_the_headers_that_its_holder_is_sent(page: Page, operator: Operator) -> None:
    """U3"""
    secret = await create_key(page, "headed", Rule(7, "Requests", "per day"))
    await respond(operator.proxy, secret)
    await page.goto("/limits")
    await page.get_by_role("article", name="Limit of headed").get_by_role("button", name="Headers").click()
    row = page.get_by_role("row", name="x-ratelimit-remaining-requests")
    await expect(row).to_contain_text("6")
    await page.reload()
    await expect(row).to_contain_text("6")


async def test_a_table_is_taken_away_as_a_file(page: Page, operator: Operator, tmp_path: Path) -> None:
    await page.goto("/limits")
    await page.get_by_role("button", name="Export").click()
    async with page.expect_download() as started:
        await page.get_by_role("menuitem", name="CSV").click()
    file = tmp_path / "limits.csv"
    await (await started.value).save_as(file)
    rows = list(csv.DictReader(io.StringIO(file.read_text("utf-8"), newline="")))
    assert {"total_tokens", "requests"} <= {row["metric"] for row in rows}


async def test_the_overview_tells_in_one_look_and_keeps_its_range_in_the_address(
    page: Page, operator: Operator
) -> None:
    secret = await create_key(page, "looked-at", Rule(1, "Requests", "per day"))
    await respond(operator.proxy, secret)
    with pytest.raises(APIStatusError):
        await respond(operator.proxy, secret)
    await page.goto("/?")
    await page.wait_for_url("**/overview")
    refusing = page.get_by_role("region", name="Refusing at present")
    await expect(refusing).to_contain_text("looked-at", timeout=LOGGED_MILLISECONDS)
    await expect(page.get_by_role("list", name="Health")).to_contain_text("proxies: 2 follow changes")
    await expect(page.get_by_role("region", name="Requests").locator("svg").first).to_be_visible()
    await page.get_by_text("1 h", exact=True).click()
    await page.wait_for_url("**/overview?range=1h")
    await page.reload()
    await expect(page.get_by_role("radio", name="1 h")).to_be_checked()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_serious_stands_in_the_way_of_a_screen_reader(
    page: Page, operator: Operator, scheme: str
) -> None:
    secret = await create_key(page, f"read-{scheme}", Rule(1, "Requests", "per day"))
    await respond(operator.proxy, secret)
    with pytest.raises(APIStatusError):
        await respond(operator.proxy, secret)
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    for path, shown in (
        ("/refusals", page.get_by_role("article", name=f"read-{scheme}: Requests per day")),
        ("/overview", page.get_by_role("region", name="Nearest to a limit").get_by_text("used").last),
        ("/limits", page.get_by_role("article").first),
        ("/reservations?state=finalized", page.get_by_role("row").nth(1)),
    ):
        await page.goto(path)
        await expect(shown).to_be_visible(timeout=LOGGED_MILLISECONDS)
        assert await serious_findings(page) == [], path
