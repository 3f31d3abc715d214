"""The API's document, from which the page's client is generated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dashboard.openapi import document

FILES = {"text/csv", "text/event-stream"}
COMMITTED = Path(__file__).parents[2] / "dashboard" / "web" / "openapi.json"


def operations() -> list[tuple[str, dict[str, Any]]]:
    paths = json.loads(document())["paths"]
    return [(path, operation) for path, by_method in paths.items() for operation in by_method.values()]


def test_the_committed_document_is_that_of_the_service() -> None:
    assert COMMITTED.read_text("utf-8") == document(), "python -m dashboard.openapi > dashboard/web/openapi.json"


def test_every_operation_has_a_name_of_its_own_a_tag_and_described_answers() -> None:
    names = [operation["operationId"] for _, operation in operations()]
    assert len(set(names)) == len(names)
    for _, operation in operations():
        assert operation["operationId"].isidentifier()
        assert operation["tags"]
        assert operation["responses"]["default"]["content"]["application/json"]["schema"]["$ref"].endswith(
            "ErrorAnswer"
        )
        for status, answer in operation["responses"].items():
            is_file = FILES & answer.get("content", {}).keys()
            assert status == "204" or is_file or "$ref" in answer["content"]["application/json"]["schema"]


def test_what_needs_a_session_says_so() -> None:
    for path, operation in operations():
        is_open = path == "/healthz" or path.startswith("/api/auth/")
        assert is_open or operation["security"] == [{"session": []}]
