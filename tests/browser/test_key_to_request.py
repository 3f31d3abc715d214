"""From a key made in the page to the request that it paid for."""

from __future__ import annotations

import math
import re

import pytest
from openai import APIStatusError
from playwright.async_api import Page, expect

from tests.browser.conftest import Operator
from tests.browser.steps import (
    LOGGED_MILLISECONDS,
    MODEL,
    Rule,
    choose_action,
    create_key,
    key_card,
    limit_line,
    request_rows,
    respond,
)

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]


async def test_a_request_shows_with_its_tokens_and_moves_its_limit(page: Page, operator: Operator) -> None:
    """U3"""
    secret = await create_key(page, "paying", Rule(1_000_000), Rule(60, "Requests", "per minute"))
    await expect(limit_line(page, "paying")).to_contain_text("0 used")

    used = await respond(operator.proxy, secret)

    total = f"{used.input_tokens + used.output_tokens:,} used"
    await expect(limit_line(page, "paying")).to_contain_text(total, timeout=LOGGED_MILLISECONDS)
    await choose_action(page, "paying", "Its requests")
    row = request_rows(page).first
    await expect(row).to_contain_text(MODEL, timeout=LOGGED_MILLISECONDS)
    await expect(row).to_contain_text(f"{used.input_tokens:,}")
    await expect(row).to_contain_text(f"{used.output_tokens:,}")
    await row.click()
    await expect(page.get_by_role("dialog")).to_contain_text("what the upstream reported")


async def test_a_limit_on_cost_is_written_and_shown_in_dollars(page: Page, operator: Operator) -> None:
    secret = await create_key(page, "thrifty", Rule(25, "Cost in USD", "per month"))
    line = limit_line(page, "thrifty", "cost_microusd")
    await expect(line).to_contain_text("$0.00 used · $25.00 free of $25.00")

    used = await respond(operator.proxy, secret)

    microusd = math.ceil(used.input_tokens * 1.25 + used.output_tokens * 10)
    dollars = f"${microusd / 1_000_000:.6f}".rstrip("0")
    await expect(line).to_contain_text(f"{dollars} used", timeout=LOGGED_MILLISECONDS)


async def test_a_refusal_shows_the_limit_that_made_it(page: Page, operator: Operator) -> None:
    """B7"""
    secret = await create_key(page, "short", Rule(1, "Requests", "per day"))
    await respond(operator.proxy, secret)
    with pytest.raises(APIStatusError) as refused:
        await respond(operator.proxy, secret)
    assert refused.value.status_code == 429

    await choose_action(page, "short", "Its requests")
    await expect(request_rows(page)).to_have_count(2, timeout=LOGGED_MILLISECONDS)
    await request_rows(page).filter(has_text="Quota").click()
    details = page.get_by_role("dialog")
    await expect(details).to_contain_text("Requests per day")
    await expect(details).to_contain_text("Asked for 1, 0 free")


async def test_a_key_is_edited_disabled_and_deleted(page: Page, operator: Operator) -> None:
    secret = await create_key(page, "passing", Rule(500_000))
    used = await respond(operator.proxy, secret)
    counted = f"{used.input_tokens + used.output_tokens:,} used"
    await expect(limit_line(page, "passing")).to_contain_text(counted, timeout=LOGGED_MILLISECONDS)

    await choose_action(page, "passing", "Edit")
    await page.get_by_role("dialog").get_by_role("textbox", name="At most").fill("600000")
    await page.get_by_role("button", name="Save").click()
    await expect(limit_line(page, "passing")).to_contain_text("of 600,000")
    await expect(limit_line(page, "passing")).to_contain_text(counted)

    await page.get_by_role("textbox", name="Search").fill("PASS")
    await expect(page.get_by_role("article")).to_have_count(1)
    await choose_action(page, "passing", "Disable")
    await expect(key_card(page, "passing")).to_contain_text("Disabled")
    with pytest.raises(APIStatusError) as refused:
        await respond(operator.proxy, secret)
    assert refused.value.status_code == 401

    await choose_action(page, "passing", "Delete")
    await page.get_by_role("button", name="Delete key").click()
    await expect(key_card(page, "passing")).to_have_count(0)


async def test_a_limit_says_in_words_what_it_will_do(page: Page) -> None:
    await page.goto("/keys")
    await page.get_by_role("button", name="New key").click()
    rule = page.get_by_role("group", name="Limit 1")
    await expect(rule).to_contain_text(re.compile("At most 1,000,000 tokens.* per day, reset at 00:00 UTC"))
    await rule.get_by_role("textbox", name="At most").fill("")
    await page.get_by_role("button", name="Create key").click()
    await expect(rule.get_by_role("alert")).to_contain_text("whole number")
