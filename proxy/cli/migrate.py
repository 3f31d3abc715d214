from __future__ import annotations

import asyncio

import typer

from proxy.config import load_proxy_settings
from servicekit import migrations
from servicekit.migrations import Migrations


def migrate() -> None:
    """Bring the proxy's database schema to this program's version; safe to repeat."""
    settings = load_proxy_settings()
    version = asyncio.run(migrations.migrate(settings.database_url, Migrations("proxy")))
    typer.echo(f"the schema proxy is at version {version}")
