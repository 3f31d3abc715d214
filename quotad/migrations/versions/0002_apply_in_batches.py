"""Plans of many operations in one call: rows say only what is not said elsewhere."""

from importlib.resources import files

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    """
    ALTER TABLE quotad.reservations
        ALTER COLUMN min_amounts DROP NOT NULL, ALTER COLUMN min_amounts DROP DEFAULT,
        ALTER COLUMN reserved DROP NOT NULL, ALTER COLUMN reserved DROP DEFAULT,
        ALTER COLUMN actual DROP NOT NULL, ALTER COLUMN actual DROP DEFAULT,
        ALTER COLUMN labels DROP NOT NULL, ALTER COLUMN labels DROP DEFAULT,
        ALTER COLUMN hold_charges DROP NOT NULL, ALTER COLUMN hold_charges DROP DEFAULT,
        ALTER COLUMN hold_over_by DROP NOT NULL, ALTER COLUMN hold_over_by DROP DEFAULT
    """,
    "DROP FUNCTION quotad.apply_v1",
    "DROP FUNCTION quotad.lock_windows_v1",
    "DROP TYPE quotad.window_write_v1",
    "DROP TYPE quotad.reservation_write_v1",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
    for name in ("lock_windows_v2", "apply_v2"):
        op.execute(files("quotad.store.functions").joinpath(f"{name}.sql").read_text("utf-8"))
