"""Alembic's entry: everything is in `servicekit.migrations`."""

from servicekit.migrations import run_environment

run_environment()
