"""The Chromium that `npm ci` unpacked here, and a page of it that watches itself."""

from __future__ import annotations

import ctypes.util
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, ConsoleMessage, Page, StorageState, async_playwright, expect

DIRECTORY = Path(__file__).parent / "node_modules" / ".chromium"
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
WAIT_MILLISECONDS = 10_000
REFUSED_BY_SERVICE = "Failed to load resource"
"""What the browser itself notes for an answer of 400 and above; the page's own messages say something else."""


expect.set_options(timeout=WAIT_MILLISECONDS)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    executable = DIRECTORY / "chromium"
    assert executable.exists(), "Chromium is not unpacked: run `make test`, or `npm ci` in tests/browser"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS), env=_environment())
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def open_page(browser: Browser, base_url: str, state: StorageState | None = None) -> AsyncIterator[Page]:
    """A page in a context of its own; afterwards it must not have complained, about its policy least of all."""
    context = await browser.new_context(
        base_url=base_url, storage_state=state, viewport={"width": 1280, "height": 800}, locale="en-GB"
    )
    context.set_default_timeout(WAIT_MILLISECONDS)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.extend(_complaint(message)))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        yield page
    finally:
        await context.close()
    assert complaints == []


def _complaint(message: ConsoleMessage) -> list[str]:
    is_serious = message.type in ("error", "warning") and not message.text.startswith(REFUSED_BY_SERVICE)
    return [message.text] if is_serious else []


def _environment() -> dict[str, str | float | bool]:
    """Fonts always from the package, so that pages look alike everywhere; libraries only where the machine has none."""
    environment: dict[str, str | float | bool] = {**os.environ, "FONTCONFIG_FILE": str(DIRECTORY / "fonts/fonts.conf")}
    if ctypes.util.find_library("nss3") is None:
        environment["LD_LIBRARY_PATH"] = str(DIRECTORY / "al2023/lib")
    return environment
