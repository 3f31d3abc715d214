"""The static page and the headers that every answer carries."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.dashboard.world import Dashboard, code_of, running

INDEX = '<html><style nonce="__CSP_NONCE__"></style><meta content="__CSP_NONCE__"></html>'


@pytest.fixture
def built(tmp_path: Path) -> Path:
    page = tmp_path / "dist"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text(INDEX)
    (page / "favicon.svg").write_text("<svg/>")
    (page / "assets" / "app-1a2b.js").write_text("1")
    (tmp_path / "secret.txt").write_text("secret")
    return page


async def test_every_path_that_the_page_routes_answers_the_index(database_url: str, built: Path) -> None:
    async with running(database_url, page=built) as dashboard, dashboard.client() as client:
        for path in ("/", "/index.html", "/requests?status=ok", "/keys", "/no/such/page", "/a%00b"):
            answer = await client.get(path)
            assert answer.status_code == 200, path
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert answer.headers["cache-control"] == "no-store"


async def test_the_index_carries_a_fresh_nonce_and_no_inline_script_may_run(database_url: str, built: Path) -> None:
    nonces = set()
    async with running(database_url, page=built) as dashboard, dashboard.client() as client:
        for _ in range(2):
            answer = await client.get("/")
            policy = answer.headers["content-security-policy"]
            [nonce] = re.findall(r"style-src 'self' 'nonce-([\w-]{22})'", policy)
            assert answer.text == INDEX.replace("__CSP_NONCE__", nonce)
            assert "script-src 'self';" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            nonces.add(nonce)
    assert len(nonces) == 2


async def test_hashed_assets_are_kept_and_other_files_asked_for_again(database_url: str, built: Path) -> None:
    async with running(database_url, page=built) as dashboard, dashboard.client() as client:
        asset = await client.get("/assets/app-1a2b.js")
        icon = await client.get("/favicon.svg")
        assert (asset.text, asset.headers["cache-control"]) == ("1", "public, max-age=31536000, immutable")
        assert (icon.text, icon.headers["cache-control"]) == ("<svg/>", "no-cache")
        assert code_of(await client.get("/assets/app-0000.js")) == (404, "not_found")
        assert code_of(await client.post("/")) == (405, "method_not_allowed")


async def test_nothing_outside_the_build_is_served(database_url: str, built: Path) -> None:
    async with running(database_url, page=built) as dashboard, dashboard.client() as client:
        for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/assets/../../secret.txt"):
            assert "secret" not in (await client.get(path)).text, path


async def test_a_page_that_was_not_built_says_what_to_do(database_url: str, tmp_path: Path) -> None:
    async with running(database_url, page=tmp_path / "none") as dashboard, dashboard.client() as client:
        answer = await client.get("/requests")
        assert answer.status_code == 503
        assert "make setup" in answer.text


async def test_every_answer_carries_the_security_headers(dashboard: Dashboard) -> None:
    async with dashboard.client() as client:
        for path in ("/healthz", "/api/accounts", "/api/auth/session", "/openapi.json", "/requests"):
            headers = (await client.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff", path
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["x-frame-options"] == "DENY"
            assert headers["cache-control"] == "no-store"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "strict-transport-security" not in headers
            assert "server" not in headers
