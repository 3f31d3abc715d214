"""The migrations of all three services in one process: three interpreters would cost a start its first seconds.

Run as `python -m quotad.stack.migrating`; the same as the three `migrate` commands one after the other.
"""

from __future__ import annotations

import asyncio
import os
import sys

from servicekit.database import DatabaseUnusable, DatabaseUrlInvalid
from servicekit.migrations import Migrations, SchemaUnknown, migrate

DATABASE_URL_VARIABLE = "QUOTAD_DATABASE_URL"
SCHEMAS = ("quotad", "proxy", "dashboard")


async def _migrate_all(database_url: str) -> None:
    for schema in SCHEMAS:
        version = await migrate(database_url, Migrations(schema))
        sys.stdout.write(f"the schema {schema} is at version {version}\n")


def main() -> None:
    try:
        asyncio.run(_migrate_all(os.environ[DATABASE_URL_VARIABLE]))
    except (DatabaseUnusable, DatabaseUrlInvalid, SchemaUnknown) as exc:
        sys.exit(f"quotad: {' '.join(str(exc).split())}")


if __name__ == "__main__":
    main()
