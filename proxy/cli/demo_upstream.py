from __future__ import annotations

from typing import Annotated

import typer

from proxy import demo_upstream as demo
from servicekit.listening import Listen, ListenRefused
from servicekit.logs import configure_logs


def demo_upstream(
    listen: Annotated[str, typer.Option(help="host:port to listen on")] = "127.0.0.1:8070",
    strict: Annotated[bool, typer.Option("--strict", help="accept only credentials that were made known")] = False,
) -> None:
    """Run a built-in OpenAI-compatible upstream that answers with sample text."""
    configure_logs("demo-upstream")
    demo.run(_parse(listen), strict=strict)


def _parse(value: str) -> Listen:
    try:
        return Listen.parse(value)
    except ValueError as exc:
        raise ListenRefused(f"--listen: {exc}") from exc
