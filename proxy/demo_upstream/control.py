"""The demo upstream's own handles: its book, its waiting misbehaviours, its credentials."""

from __future__ import annotations

from typing import Annotated, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, ValidationError

from proxy.demo_upstream.behaviours import Behaviour, BehaviourQueue, BehaviourUnknown
from proxy.demo_upstream.book import Book
from proxy.demo_upstream.credentials import Credentials
from proxy.demo_upstream.refusals import error
from proxy.demo_upstream.usage import DemoUsage, UsageBook


class BehavioursBody(BaseModel):
    """What the next requests meet; only those with `credential` where one is named."""

    model_config = ConfigDict(extra="forbid")

    behaviours: list[str]
    credential: str | None = None


class CredentialsBody(BaseModel):
    """Changes to what is accepted; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    strict: bool | None = None
    access_token_seconds: NonNegativeFloat | None = None
    api_keys: list[str] = []
    refresh_tokens: list[str] = []
    expired: list[str] = []


class UsageBody(BaseModel):
    """What a credential is told of its windows from now on."""

    model_config = ConfigDict(extra="forbid")

    credential: str
    primary_percent: NonNegativeFloat | None = None
    secondary_percent: NonNegativeFloat | None = None
    reset_seconds: NonNegativeInt = 3_600
    balance: str | None = None
    sends_headers: bool = False
    status: Annotated[int, Field(ge=200, le=599)] = 200


Body = TypeVar("Body", bound=BaseModel)


def control_routes(
    book: Book, behaviours: BehaviourQueue, credentials: Credentials, usage: UsageBook
) -> list[web.RouteDef]:
    """The routes under `/demo`."""

    async def show_book(_request: web.Request) -> web.Response:
        return web.json_response({**book.as_json(), "refreshes": credentials.refreshes})

    async def clear_book(_request: web.Request) -> web.Response:
        book.clear()
        return web.Response(status=204)

    async def queue_behaviours(request: web.Request) -> web.Response:
        try:
            body = await _body(request, BehavioursBody)
            behaviours.add([Behaviour.parse(value) for value in body.behaviours], body.credential)
        except (BehaviourUnknown, ValidationError) as exc:
            return error(400, "invalid_request", str(exc))
        return web.json_response({"queued": len(behaviours)})

    async def clear_behaviours(_request: web.Request) -> web.Response:
        behaviours.clear()
        return web.Response(status=204)

    async def set_credentials(request: web.Request) -> web.Response:
        try:
            body = await _body(request, CredentialsBody)
        except ValidationError as exc:
            return error(400, "invalid_request", str(exc))
        _apply(credentials, body)
        return web.json_response({"strict": credentials.strict})

    async def tell_usage(request: web.Request) -> web.Response:
        try:
            body = await _body(request, UsageBody)
        except ValidationError as exc:
            return error(400, "invalid_request", str(exc))
        usage.tell({body.credential: DemoUsage(**body.model_dump(exclude={"credential"}))})
        return web.Response(status=204)

    return [
        web.get("/demo/book", show_book),
        web.delete("/demo/book", clear_book),
        web.post("/demo/behaviours", queue_behaviours),
        web.delete("/demo/behaviours", clear_behaviours),
        web.post("/demo/credentials", set_credentials),
        web.post("/demo/usage", tell_usage),
    ]


async def _body(request: web.Request, cls: type[Body]) -> Body:
    """The request's body; raises `ValidationError`, also where it is no JSON."""
    return cls.model_validate_json(await request.read())


def _apply(credentials: Credentials, body: CredentialsBody) -> None:
    credentials.strict = credentials.strict if body.strict is None else body.strict
    if body.access_token_seconds is not None:
        credentials.access_token_seconds = body.access_token_seconds
    credentials.make_known(access=body.api_keys, refresh=body.refresh_tokens)
    for token in body.expired:
        credentials.expire(token)
