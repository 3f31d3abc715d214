"""The API's document: `python -m dashboard.openapi > dashboard/web/openapi.json`. Starts and opens nothing.

The page's client is generated from it; a test compares the committed file.
"""

from __future__ import annotations

import json
import sys

from dashboard.app import create_api


def document() -> str:
    """The document as it is committed."""
    return json.dumps(create_api().openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
