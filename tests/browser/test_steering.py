"""What an operator steers in the page: groups, secrets of keys, upstream accounts."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator

import pytest
from openai import APIStatusError
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import Operator
from tests.browser.steps import LOGGED_MILLISECONDS, Rule, choose_action, create_key, fill_rule, key_card, respond
from tests.support.processes import command

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]

CODEX = {"tokens": {"access_token": "access", "refresh_token": "refresh", "account_id": "chatgpt-of-the-test"}}


def group_card(page: Page, path: str) -> Locator:
    return page.get_by_role("article", name=f"Group {path}", exact=True)


async def create_group(page: Page, name: str, rule: Rule | None = None) -> None:
    """In the dialog that is open, make a group."""
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("textbox", name="Name").fill(name)
    if rule is not None:
        await dialog.get_by_role("button", name="Add a limit").click()
        await fill_rule(page, dialog.get_by_role("group", name="Limit 1"), rule)
    await dialog.get_by_role("button", name="Create group").click()
    await expect(dialog).to_have_count(0)


async def test_a_group_binds_the_keys_below_it(page: Page, operator: Operator) -> None:
    await page.goto("/groups")
    await page.get_by_role("button", name="New group").click()
    await create_group(page, "company", Rule(900_000))
    await choose_action(page, "company", "New group below")
    await create_group(page, "team")
    await expect(group_card(page, "company / team")).to_contain_text("No limits of its own")

    secret = await create_key(page, "grouped", Rule(500_000))
    await choose_action(page, "grouped", "Edit")
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("combobox", name="Group").click()
    await page.get_by_role("option", name="company / team").click()
    await dialog.get_by_role("button", name="Save").click()
    await expect(key_card(page, "grouped")).to_contain_text("in company / team")
    shared = key_card(page, "grouped").locator('[data-shared="company"]')
    used = await respond(operator.proxy, secret)
    await expect(shared).to_contain_text(
        f"{used.input_tokens + used.output_tokens:,} used", timeout=LOGGED_MILLISECONDS
    )

    await page.goto("/groups")
    await choose_action(page, "company", "Usage")
    total = f"{used.input_tokens + used.output_tokens:,} in all"
    await expect(page.get_by_test_id("usage-total")).to_have_text(total)
    await page.keyboard.press("Escape")
    await choose_action(page, "company", "Delete")
    await page.get_by_role("button", name="Delete group").click()
    await expect(page.get_by_role("alert")).to_contain_text("still in it")
    await page.get_by_role("button", name="Keep it").click()


async def test_a_rotated_secret_takes_the_place_of_the_old_one(page: Page, operator: Operator) -> None:
    old = await create_key(page, "rotated", Rule(500_000))
    await choose_action(page, "rotated", "Rotate secret")
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("combobox", name="The present secret works").click()
    await page.get_by_role("option", name="no longer").click()
    await dialog.get_by_role("button", name="Rotate").click()
    secret = await dialog.get_by_test_id("secret").inner_text()
    await expect(dialog.get_by_role("tab")).to_have_text(["curl", "Python", "Codex"])
    await dialog.get_by_role("button", name="I have saved it").click()
    with pytest.raises(APIStatusError) as refused:
        await respond(operator.proxy, old)
    assert refused.value.status_code == 401
    await respond(operator.proxy, secret)


async def test_two_who_edit_one_key_are_told_of_each_other(page: Page, operator: Operator) -> None:
    await create_key(page, "disputed", Rule(500_000))
    other = await page.context.new_page()
    for one in (page, other):
        await one.goto("/keys?search=disputed")
        await choose_action(one, "disputed", "Edit")
    await other.get_by_role("dialog").get_by_role("textbox", name="At most").fill("600000")
    await other.get_by_role("button", name="Save").click()
    await expect(other.get_by_role("dialog")).to_have_count(0)

    mine = page.get_by_role("dialog").get_by_role("textbox", name="At most")
    await mine.fill("700000")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("alert")).to_contain_text("changed while you were editing")
    await page.get_by_role("button", name="Show what stands there").click()
    await expect(mine).to_have_value("600,000")
    await mine.fill("700000")
    await page.get_by_role("button", name="Save").click()
    await expect(key_card(page, "disputed")).to_contain_text("of 700,000")
    await other.close()


async def test_a_policy_is_set_and_said_in_words(page: Page) -> None:
    await create_key(page, "careful", Rule(500_000))
    await choose_action(page, "careful", "Edit")
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Policies").click()
    await dialog.get_by_role("switch", name="Admit a few requests while quotad is away").click()
    await dialog.get_by_role("textbox", name="Requests", exact=True).fill("")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_contain_text("A whole number, 1 to 1,000,000")
    await dialog.get_by_role("textbox", name="Requests", exact=True).fill("5")
    await dialog.get_by_role("button", name="Save").click()
    await expect(key_card(page, "careful")).to_contain_text("each proxy admits at most 5 requests in 1 min")


@pytest.fixture
def demo_comes_back(operator: Operator) -> Iterator[None]:
    """The first account ends the demo, which all other tests send their requests to."""
    environment = operator.stack.environment()
    accounts = [command("quota-proxy"), "accounts"]
    listed = subprocess.run([*accounts, "list", "--json"], env=environment, capture_output=True, check=True, timeout=60)
    [demo] = json.loads(listed.stdout)
    yield
    again = [*accounts, "ensure-demo", "--base-url", demo["base_url"]]
    subprocess.run(again, env=environment, capture_output=True, check=True, timeout=60)


@pytest.mark.usefixtures("demo_comes_back")
async def test_an_account_is_imported_paused_signed_in_again_and_removed(page: Page) -> None:
    await page.goto("/accounts")
    await page.get_by_role("button", name="Add account").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_text("Codex auth.json").click()
    content = dialog.get_by_role("textbox", name="auth.json")
    await content.fill("not it")
    await dialog.get_by_role("textbox", name="Name").fill("imported")
    await dialog.get_by_role("button", name="Add account").click()
    await expect(dialog).to_contain_text("This is not the auth.json")
    await content.fill(json.dumps(CODEX))
    await dialog.get_by_role("button", name="Add account").click()
    row = page.get_by_role("row", name=re.compile("imported"))
    await expect(row).to_contain_text("OAuth")

    await choose_action(page, "imported", "Pause")
    await expect(row).to_contain_text("Paused")
    await choose_action(page, "imported", "Sign in again")
    await dialog.get_by_role("textbox", name="Access token").fill("fresh")
    await dialog.get_by_role("textbox", name="Refresh token").fill("fresh")
    await dialog.get_by_role("button", name="Store").click()
    await expect(dialog).to_have_count(0)
    await choose_action(page, "imported", "Remove")
    await page.get_by_role("button", name="Remove account").click()
    await expect(row).to_have_count(0)


async def test_settings_are_stored_and_no_edit_undoes_another_unseen(page: Page) -> None:
    other = await page.context.new_page()
    for one in (page, other):
        await one.goto("/settings")
        await expect(one.get_by_role("textbox", name="Request log")).to_be_visible()
    await page.get_by_role("textbox", name="Request log").fill("14")
    await page.get_by_role("button", name="Add a price").click()
    line = page.get_by_role("group", name="Price 1")
    for field, value in (("Model", "house-model"), ("Input", "1.5"), ("Output", "3")):
        await line.get_by_role("textbox", name=field, exact=True).fill(value)
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status")).to_have_count(0)

    await other.get_by_role("textbox", name="Request log").fill("20")
    await other.get_by_role("button", name="Save").click()
    await expect(other.get_by_role("alert")).to_contain_text("changed while you were editing")
    await other.get_by_role("button", name="Show what stands there").click()
    await expect(other.get_by_role("textbox", name="Request log")).to_have_value("14 days")
    await expect(other.get_by_role("textbox", name="Model")).to_have_value("house-model")
    await other.close()
