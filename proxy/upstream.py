"""Talking to an upstream's API: bytes in, bytes out, nothing followed, decoded or remembered. The only aiohttp here.

Whatever goes wrong on the way is `UpstreamFailed` or `UpstreamTimeout`; a status is never an error here.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Self

import aiohttp

from proxy.config import ProxySettings
from proxy.errors import UpstreamFailed, UpstreamTimeout
from proxy.requests.types import Header

HEADER_BYTES_MAX = 32 * 1024
"""One header of an answer; content security policies alone exceed aiohttp's 8 KiB."""
REFUSAL_BYTES_MAX = 1024 * 1024
"""As much of a refusal's body as is read and passed on."""
REFUSAL_SECONDS_MAX = 10.0
"""A refusal's body is short; its status alone says enough."""


class UpstreamAnswer:
    """Status, headers and body of one answer."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: tuple[Header, ...] = tuple(response.headers.items())

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case; empty where there is none."""
        return self.header("content-type").partition(";")[0].strip().lower()

    def header(self, name: str) -> str:
        return self._response.headers.get(name, "")

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body as it comes, to its end; what came before a failure is yielded before that is raised."""
        content = self._response.content
        while True:
            try:
                with _translated():
                    chunk = await content.readany()
            except (UpstreamFailed, UpstreamTimeout):
                # aiohttp raises ahead of what it has buffered, and the usage report may be in there.
                if rest := content._read_nowait(-1):  # noqa: SLF001
                    yield rest
                raise
            if not chunk:
                return
            yield chunk

    async def read_refusal(self) -> bytes:
        """The body of an answer that is no success, as far as it comes in time."""
        body = bytearray()
        try:
            async with asyncio.timeout(REFUSAL_SECONDS_MAX):
                async for chunk in self.chunks():
                    body += chunk
                    if len(body) > REFUSAL_BYTES_MAX:
                        break
        except (UpstreamFailed, UpstreamTimeout, TimeoutError):
            return bytes(body)
        return bytes(body[:REFUSAL_BYTES_MAX])


class Upstream:
    """The worker's connections to all accounts."""

    _session: aiohttp.ClientSession

    def __init__(self, settings: ProxySettings) -> None:
        self._settings = settings

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._settings.streams_max),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=None,
                connect=self._settings.upstream_connect_seconds,
                sock_connect=self._settings.upstream_connect_seconds,
                sock_read=self._settings.upstream_idle_seconds,
            ),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
            max_line_size=HEADER_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.close()

    @asynccontextmanager
    async def post(
        self, url: str, headers: tuple[Header, ...], authorization: Mapping[str, str], body: bytes
    ) -> AsyncIterator[UpstreamAnswer]:
        """Send a JSON body. An answer that is not read to its end takes its connection with it."""
        with _translated():
            response = await self._session.post(
                url, data=io.BytesIO(body), headers=_headers(headers, authorization), allow_redirects=False
            )
        try:
            yield UpstreamAnswer(response)
        finally:
            response.close()


def _headers(headers: tuple[Header, ...], authorization: Mapping[str, str]) -> list[Header]:
    # Bytes are passed on unchanged, and their usage report has to be readable.
    own = {"accept-encoding": "identity", **{name.lower(): value for name, value in authorization.items()}}
    theirs = [(name, value) for name, value in headers if name.lower() not in own]
    if not any(name.lower() == "content-type" for name, _ in theirs):
        own["content-type"] = "application/json"
    return [*theirs, *own.items()]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except aiohttp.ServerTimeoutError as exc:
        raise UpstreamTimeout from exc
    except aiohttp.ClientConnectorError as exc:
        raise UpstreamFailed("The upstream cannot be reached.") from exc
    except (aiohttp.ClientError, OSError) as exc:
        raise UpstreamFailed("The connection to the upstream broke.") from exc
