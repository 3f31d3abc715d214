"""The errors of the demo upstream, in the shapes of the real ones."""

from __future__ import annotations

from aiohttp import web

from proxy.demo_upstream.answers import Json
from proxy.demo_upstream.behaviours import Behaviour

RETRY_AFTER_SECONDS = 1
WINDOW_MINUTES = 300
WEB_PAGE = "<!doctype html><title>Bad gateway</title><h1>A page where an API should be</h1>\n"


def error(
    status: int, code: str | None, message: str, *, kind: str = "invalid_request_error", param: str | None = None
) -> web.Response:
    """An error with the four keys that the API always sends."""
    return web.json_response({"error": {"message": message, "type": kind, "param": param, "code": code}}, status=status)


def web_page(behaviour: Behaviour) -> web.Response:
    status = behaviour.number("status") or 200
    return web.Response(text=WEB_PAGE, status=status, content_type="text/html")


def refusal(behaviour: Behaviour, status: int, now: float) -> web.Response:
    """The plain refusal with this HTTP status; `now` is in seconds since the epoch."""
    match status:
        case 401:
            return error(401, "invalid_api_key", "Incorrect API key provided.")
        case 429:
            return _too_many(behaviour, now)
        case 503:
            return error(503, "server_is_overloaded", "The demo upstream is overloaded.", kind="server_error")
        case _ if status >= 500:
            return error(status, "server_error", "The demo upstream was told to fail.", kind="server_error")
        case _:
            return error(status, "invalid_request", "The demo upstream was told to refuse.")


def _too_many(behaviour: Behaviour, now: float) -> web.Response:
    seconds = RETRY_AFTER_SECONDS if behaviour.retry_after is None else behaviour.retry_after
    match behaviour.parameters.get("kind", "rate"):
        case "usage":
            return _usage_limit(seconds, int(now) + seconds)
        case "quota":
            message = "You exceeded your current quota, please check your plan and billing details."
            return error(429, "insufficient_quota", message, kind="insufficient_quota")
        case _:
            message = f"Rate limit reached: Limit 1, Used 1, Requested 1. Please try again in {seconds}s."
            refused = error(429, "rate_limit_exceeded", message, kind="tokens")
            refused.headers["retry-after"] = str(seconds)
            return refused


def _usage_limit(seconds: int, resets_at: int) -> web.Response:
    body: Json = {
        "type": "usage_limit_reached",
        "message": "The usage limit has been reached",
        "plan_type": "plus",
        "resets_at": resets_at,
        "resets_in_seconds": seconds,
    }
    headers = {
        "x-codex-primary-used-percent": "100",
        "x-codex-primary-window-minutes": str(WINDOW_MINUTES),
        "x-codex-primary-reset-at": str(resets_at),
    }
    return web.json_response({"error": body}, status=429, headers=headers)
