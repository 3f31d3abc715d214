"""The built page: its files, and `index.html` for every path that the page routes itself."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from dashboard.auth.guard import is_api
from dashboard.errors import NotFound

BUILT_PAGE = Path(__file__).parent / "web" / "dist"

NONCE_PLACEHOLDER = "__CSP_NONCE__"
"""What the build leaves in `index.html` where this answer's nonce belongs."""
NONCE_BYTES = 16

ASSETS = "assets/"
HASHED = "public, max-age=31536000, immutable"
"""The build names files below `assets/` by their content."""
REVALIDATED = "no-cache"

NOT_BUILT = "The page was not built: run `make setup`, or `npm ci && npm run build` in dashboard/web.\n"


class Page(StaticFiles):
    """Serves the build's directory, which may be missing or be built while this runs."""

    def __init__(self, directory: Path = BUILT_PAGE) -> None:
        super().__init__(directory=directory, check_dir=False)
        self.config_checked = True  # a missing build has an answer of its own
        self._index = directory / "index.html"

    async def get_response(self, path: str, scope: Scope) -> Response:
        if is_api(scope["path"]):
            raise NotFound
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        if path != "index.html":
            try:
                return await self._file(path, scope)
            except HTTPException as exc:
                if exc.status_code != 404 or path.startswith(ASSETS):
                    raise
        return await self._index_with_nonce()

    async def _file(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = HASHED if path.startswith(ASSETS) else REVALIDATED
        return response

    async def _index_with_nonce(self) -> Response:
        try:
            html = await asyncio.to_thread(self._index.read_text, "utf-8")
        except FileNotFoundError:
            return PlainTextResponse(NOT_BUILT, 503)
        nonce = secrets.token_urlsafe(NONCE_BYTES)
        policy = {"Content-Security-Policy": page_policy(nonce)}
        return HTMLResponse(html.replace(NONCE_PLACEHOLDER, nonce), headers=policy)


def page_policy(nonce: str) -> str:
    """Scripts only from here; styles from here or with this answer's nonce, for those the page makes as it runs."""
    return (
        "default-src 'none'; script-src 'self'; "
        f"style-src 'self' 'nonce-{nonce}'; "
        "img-src 'self' data:; font-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
