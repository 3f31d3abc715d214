from __future__ import annotations

import asyncio

import typer

from dashboard.app import MIGRATIONS
from dashboard.config import load_dashboard_settings
from servicekit import migrations


def migrate() -> None:
    """Bring the dashboard's database schema to this program's version; safe to repeat."""
    settings = load_dashboard_settings()
    version = asyncio.run(migrations.migrate(settings.database_url.get_secret_value(), MIGRATIONS))
    typer.echo(f"the schema dashboard is at version {version}")
