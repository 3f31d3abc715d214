"""Write the secrets that docker-compose.yml needs: `.env` and `deploy/secrets/`. What exists is left as it is.

Python's standard library only: `python3 deploy/make_secrets.py`.
"""

from __future__ import annotations

import base64
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

TOKEN_BYTES = 32
OWNER_ONLY = 0o600
READABLE = 0o444
"""A mounted file keeps its mode and must be readable by the user inside; its directory shuts others out."""


def make_secrets(top: Path) -> list[Path]:
    """Make what is missing below `top`; returns the files made."""
    directory = top / "deploy" / "secrets"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    made = [path for name, make in _files(directory).items() if (path := _write(directory / name, make, READABLE))]
    environment = _write(top / ".env", _environment, OWNER_ONLY)
    return [*made, environment] if environment else made


def _files(directory: Path) -> Mapping[str, Callable[[], str]]:
    """The content of each file, in the order in which they are made."""
    return {
        "postgres_password": _token,
        "database_password": _token,
        "database_url": lambda: _database_url((directory / "database_password").read_text().strip()),
        "proxy_secret_key": _sealing_key,
        "dashboard_secret_key": _sealing_key,
    }


def _database_url(password: str) -> str:
    return f"postgresql://quota_services:{password}@postgres/quota_services"


def _environment() -> str:
    return f"QUOTAD_DATA_TOKEN={_token()}\nQUOTAD_ADMIN_TOKEN={_token()}"


def _sealing_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _token() -> str:
    return secrets.token_hex(TOKEN_BYTES)


def _write(path: Path, make: Callable[[], str], mode: int) -> Path | None:
    if path.exists():
        return None
    path.touch(mode=OWNER_ONLY)
    path.write_text(make() + "\n")
    path.chmod(mode)
    return path


if __name__ == "__main__":
    for path in make_secrets(Path(__file__).parents[1]):
        sys.stdout.write(f"made {path}\n")
