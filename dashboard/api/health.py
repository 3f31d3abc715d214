"""Liveness. Readiness has a listener of its own."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter

from dashboard.api.schema import Answer

router = APIRouter(tags=["health"])


class Health(Answer):
    """The process answers."""

    status: Literal["ok"] = "ok"


@router.get("/healthz")
async def get_health() -> Health:
    """Say that the process lives; asks nothing else, so it answers when database or quotad are away."""
    return Health()
