"""The paths that are served; everything else is 404, so that nothing passes unmetered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from proxy.http.context import context_of
from proxy.http.errors import ErrorAnswer
from proxy.http.guards import bearer_key
from proxy.http.response import RelayResponse
from proxy.http.services import Services
from proxy.http.usage import CodexUsage, KeyUsage, codex_usage, key_usage
from proxy.requests.types import Endpoint
from quotad.client.types import KeyDescription

CODEX = "/backend-api/codex"
ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorAnswer, "description": "The request is refused; with 429 by a limit of the key."},
    "5XX": {"model": ErrorAnswer, "description": "The proxy, the quota service or the upstream cannot serve it now."},
}
JSON_OBJECT = {"application/json": {"schema": {"type": "object", "required": ["model"]}}}
REQUEST_BODY = {
    "requestBody": {
        "required": True,
        "description": "The body of the OpenAI API, passed on as it is; gzip, deflate and zstd are accepted.",
        "content": JSON_OBJECT,
    }
}
STREAM_OR_OBJECT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The upstream's answer: an object, or its events where `stream` is true.",
        "content": {"application/json": {"schema": {"type": "object"}}, "text/event-stream": {}},
    }
}
OBJECT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The upstream's answer.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}


class RelayRoute(APIRoute):
    """Its endpoint takes the request as it is: to resolve parameters that it has not costs as much as a relay."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)  # refuses it
            return
        response = await self.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


router = APIRouter(responses=ERRORS)
relays = APIRouter(responses=ERRORS, route_class=RelayRoute)


class Health(BaseModel):
    """The worker is alive; whether it can serve says `/readyz` on its metrics listener."""

    status: str = "ok"


class Models(BaseModel):
    """Models as the upstream describes them."""

    object: str = "list"
    data: list[dict[str, Any]]


@relays.post("/v1/responses", operation_id="createResponse", responses=STREAM_OR_OBJECT, openapi_extra=REQUEST_BODY)
@relays.post(
    f"{CODEX}/responses", operation_id="createCodexResponse", responses=STREAM_OR_OBJECT, openapi_extra=REQUEST_BODY
)
async def create_response(request: Request) -> Response:
    """Relay a request to the Responses API under the key's limits."""
    return RelayResponse(services_of(request), Endpoint.RESPONSES)


@relays.post(
    "/v1/chat/completions", operation_id="createChatCompletion", responses=STREAM_OR_OBJECT, openapi_extra=REQUEST_BODY
)
async def create_chat_completion(request: Request) -> Response:
    """Relay a chat completion under the key's limits; a stream shows its usage where `stream_options` asks for it."""
    return RelayResponse(services_of(request), Endpoint.CHAT)


@relays.post("/v1/responses/compact", operation_id="compactResponse", responses=OBJECT, openapi_extra=REQUEST_BODY)
@relays.post(
    f"{CODEX}/responses/compact", operation_id="compactCodexResponse", responses=OBJECT, openapi_extra=REQUEST_BODY
)
async def compact_response(request: Request) -> Response:
    """Relay a compaction under the key's limits."""
    return RelayResponse(services_of(request), Endpoint.COMPACT)


@router.get("/v1/models", operation_id="listModels")
@router.get(f"{CODEX}/models", operation_id="listCodexModels")
async def list_models(request: Request, response: Response) -> Models:
    """List the upstream's models that the key may use."""
    description = await _caller(request, response)
    patterns = description.api_key.allowed_models if description else ()
    return Models(data=[dict(model) for model in await services_of(request).models.allowed(patterns)])


@router.get("/v1/usage", operation_id="getUsage")
async def get_usage(request: Request, response: Response) -> KeyUsage:
    """Read the key's own limits and usage; needs a key even where key auth is off."""
    return key_usage(await _described(request, response))


@router.get("/api/codex/usage", operation_id="getCodexUsage")
async def get_codex_usage(request: Request, response: Response) -> CodexUsage:
    """Read the key's limits as the windows that Codex shows in `/status`."""
    return codex_usage(await _caller(request, response))


@router.get("/healthz", operation_id="getHealth", responses={"4XX": {"description": "Never."}})
async def get_health() -> Health:
    """Say that the worker is alive."""
    return Health()


def services_of(request: Request) -> Services:
    return cast("Services", request.app.state.services)


async def _caller(request: Request, response: Response) -> KeyDescription | None:
    """The calling key as it is now; None where callers need none."""
    return await _described(request, response) if services_of(request).settings.needs_key else None


async def _described(request: Request, response: Response) -> KeyDescription:
    context = context_of(request)
    context.key = await services_of(request).keys.current(bearer_key(request.headers.get("authorization")))
    for name, value in context.limit_headers(datetime.now(UTC)):
        response.headers[name] = value
    return context.key
