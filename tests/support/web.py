"""Plain HTTP, as a probe or a scraper sends it."""

from __future__ import annotations

import asyncio


async def fetch(address: str, path: str) -> str:
    """The whole answer to one GET, head included."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.decode()
