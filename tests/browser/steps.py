"""What an operator does in the page, and what a client then does through the proxy."""

from __future__ import annotations

import re
from dataclasses import dataclass

from openai import AsyncOpenAI
from playwright.async_api import Locator, Page, expect

MODEL = "gpt-5.1-codex"


LOGGED_MILLISECONDS = 15_000
"""A log row is written soon after its request, and the page asks every five seconds."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One limit as the page's form takes it."""

    max_value: int
    metric: str = "Total tokens"
    window: str = "per day"


@dataclass(frozen=True, slots=True)
class Used:
    """What the upstream reported to the client."""

    input_tokens: int
    output_tokens: int


async def create_key(page: Page, name: str, *rules: Rule) -> str:
    """Make a key in the page; returns the secret that it shows once."""
    await page.goto("/keys")
    await page.get_by_role("button", name="New key").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("textbox", name="Name").fill(name)
    for number, rule in enumerate(rules, 1):
        if number > 1:
            await dialog.get_by_role("button", name="Add a limit").click()
        await fill_rule(page, dialog.get_by_role("group", name=f"Limit {number}"), rule)
    await dialog.get_by_role("button", name="Create key").click()
    secret = await dialog.get_by_test_id("secret").inner_text()
    await expect(dialog.get_by_role("tabpanel")).to_contain_text(secret)
    await dialog.get_by_role("button", name="I have saved it").click()
    await expect(key_card(page, name)).to_be_visible()
    return secret


async def fill_rule(page: Page, group: Locator, rule: Rule) -> None:
    await group.get_by_role("textbox", name="At most").fill(str(rule.max_value))
    for field, choice in (("Of", rule.metric), ("Window", rule.window)):
        await group.get_by_role("combobox", name=field, exact=True).click()
        await page.get_by_role("option", name=choice, exact=True).click()


async def choose_action(page: Page, name: str, action: str) -> None:
    """Open a key's menu and choose from it."""
    await page.get_by_role("button", name=f"Actions for {name}", exact=True).click()
    await page.get_by_role("menuitem", name=action).click()


def key_card(page: Page, name: str) -> Locator:
    return page.get_by_role("article", name=f"Key {name}", exact=True)


def limit_line(page: Page, name: str, metric: str = "total_tokens") -> Locator:
    return key_card(page, name).locator(f'[data-limit="{metric}"]')


async def choose_value(page: Page, facet: str, value: str) -> None:
    """Toggle one value in the menu of a facet of the Requests page, and close the menu."""
    await page.get_by_role("button", name=re.compile(f"^{facet}( ·|$)")).click()
    await page.get_by_role("option", name=value, exact=True).click()
    await page.keyboard.press("Escape")


def request_rows(page: Page) -> Locator:
    return page.locator("tbody tr")


async def respond(proxy: str, secret: str, model: str = MODEL) -> Used:
    """Stream one answer through the proxy, as a client would."""
    async with AsyncOpenAI(api_key=secret, base_url=f"{proxy}/v1", max_retries=0) as client:
        async with client.responses.stream(model=model, input="Say hello") as stream:
            usage = (await stream.get_final_response()).usage
    assert usage is not None
    return Used(usage.input_tokens, usage.output_tokens)
