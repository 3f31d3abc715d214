"""The demo upstream: an honest OpenAI-compatible server that misbehaves only on command.

    POST /v1/responses, /v1/responses/compact, /v1/chat/completions   the API
    GET /v1/models
    POST /oauth/token                                                 rotating token pairs
    GET  /api/codex/usage                                             a credential's usage windows
    GET, DELETE /demo/book                                            what was reported as used
    POST, DELETE /demo/behaviours                                     misbehaviours for the next requests
    POST /demo/credentials                                            what is accepted
    POST /demo/usage                                                  what a credential is told of its windows

`x-demo-words: n` sets how many words an answer has, `x-demo-behaviour` how one request goes wrong.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from uuid import uuid4

from aiohttp import web

from proxy.demo_upstream.answers import Answer, Json, answer, calling
from proxy.demo_upstream.behaviours import Behaviour, BehaviourQueue, BehaviourUnknown
from proxy.demo_upstream.book import Book, Entry
from proxy.demo_upstream.chat import chat_script
from proxy.demo_upstream.control import control_routes
from proxy.demo_upstream.credentials import Credentials, GrantRefused
from proxy.demo_upstream.models import MODELS, is_model
from proxy.demo_upstream.refusals import error, refusal, web_page
from proxy.demo_upstream.scripts import Script, compaction_script, response_script
from proxy.demo_upstream.sending import send
from proxy.demo_upstream.usage import UsageBook

BODY_BYTES_MAX = 64 * 1024 * 1024
"""Twice what the proxy lets through, so that its own bound is the one that is met."""

CREDENTIAL_CHARACTERS = 6
"""End of a credential that the book shows."""

ScriptOf = Callable[[Answer, Behaviour], Script]


class DemoUpstream:
    """One demo upstream: its book, its credentials and its waiting misbehaviours."""

    def __init__(self, *, strict: bool = False) -> None:
        self.book = Book()
        self.behaviours = BehaviourQueue()
        self.credentials = Credentials(time.monotonic, strict=strict)
        self.usage = UsageBook()

    def app(self) -> web.Application:
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.on_response_prepare.append(_mark)
        app.add_routes(
            [
                web.post("/v1/responses", self._responses),
                web.post("/v1/responses/compact", self._compact),
                web.post("/v1/chat/completions", self._chat),
                web.get("/v1/models", self._models),
                web.post("/oauth/token", self._token),
                web.get("/api/codex/usage", self._usage),
                *control_routes(self.book, self.behaviours, self.credentials, self.usage),
            ]
        )
        return app

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, response_script)

    async def _compact(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, compaction_script)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, chat_script)

    async def _answer(self, request: web.Request, script_of: ScriptOf) -> web.StreamResponse:
        entry = self._open(request)
        body = await request.read()
        try:
            behaviour = self._behaviour(request)
            words = _words(request.headers.get("x-demo-words"))
        except BehaviourUnknown as exc:
            return _closed(entry, error(400, "unknown_behaviour", str(exc)))
        entry.behaviour = behaviour.name
        content, refused = _read(body)
        entry.model, entry.label = str(content.get("model")), _label(content)
        refused = self._refused(request, behaviour) or refused or _refused_option(content, behaviour)
        if refused is not None:
            return _closed(entry, refused)
        given = answer(entry.response_id, int(time.time()), content, words)
        if behaviour.name == "tool":
            given = calling(given, behaviour.parameters.get("name"), behaviour.parameters.get("arguments", "{}"))
        script = script_of(given, behaviour)
        pause = behaviour.pause_seconds
        headers = _api_headers() | self.usage.of(_bearer(request)).headers(time.time())
        return await send(request, script, headers, pause_seconds=pause, entry=entry, book=self.book)

    def _open(self, request: web.Request) -> Entry:
        number = uuid4().hex
        credential = _bearer(request)[-CREDENTIAL_CHARACTERS:]
        return self.book.open(Entry(f"resp_{number}", request.path, credential, model="", behaviour=""))

    def _behaviour(self, request: web.Request) -> Behaviour:
        commanded = request.headers.get("x-demo-behaviour")
        return Behaviour.parse(commanded) if commanded else self.behaviours.take(_bearer(request))

    def _refused(self, request: web.Request, behaviour: Behaviour) -> web.Response | None:
        """The plain refusal that the credential or the behaviour asks for."""
        token = _bearer(request)
        if behaviour.name == "expired_token":
            self.credentials.expire(token)
        if not self.credentials.accepts(token):
            return error(401, "invalid_api_key", "Incorrect API key provided, or an access token that has expired.")
        if behaviour.status is not None:
            return refusal(behaviour, behaviour.status, time.time())
        return web_page(behaviour) if behaviour.name == "html" else None

    async def _models(self, request: web.Request) -> web.Response:
        if not self.credentials.accepts(_bearer(request)):
            return error(401, "invalid_api_key", "Incorrect API key provided.")
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "demo"} for name in MODELS]
        return web.json_response({"object": "list", "data": data})

    async def _usage(self, request: web.Request) -> web.Response:
        self.usage.fetches += 1
        if not self.credentials.accepts(_bearer(request)):
            return error(401, "invalid_api_key", "Incorrect API key provided, or an access token that has expired.")
        told = self.usage.of(_bearer(request))
        if told.status != 200:
            return error(told.status, "server_error", "The demo upstream was told to fail.", kind="server_error")
        return web.json_response(told.payload(time.time()))

    async def _token(self, request: web.Request) -> web.Response:
        fields = await _fields(request)
        if fields.get("grant_type") != "refresh_token":
            return web.json_response({"error": "unsupported_grant_type"}, status=400)
        try:
            pair = self.credentials.refresh(str(fields.get("refresh_token", "")))
        except GrantRefused as exc:
            return web.json_response({"error": exc.code}, status=400)
        return web.json_response(pair.as_json(), headers={"cache-control": "no-store"})


async def _mark(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["x-quota-demo"] = "true"


def _read(body: bytes) -> tuple[Json, web.Response | None]:
    """The request's JSON object and, where it cannot be served, why."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        return {}, error(400, "invalid_json", "We could not parse the JSON body of your request.")
    model = content.get("model")
    if not isinstance(model, str) or not model:
        message = "Missing required parameter: 'model'."
        return content, error(400, "missing_required_parameter", message, param="model")
    if not is_model(model):
        message = f"The model `{model}` does not exist or you do not have access to it."
        return content, error(404, "model_not_found", message, param="model")
    return content, None


def _refused_option(content: Json, behaviour: Behaviour) -> web.Response | None:
    if behaviour.name != "no_stream_options" or "stream_options" not in content:
        return None
    message = "Unrecognized request argument supplied: stream_options"
    return error(400, "unknown_parameter", message, param="stream_options")


def _label(content: Mapping[str, object]) -> str:
    metadata = content.get("metadata")
    return str(metadata.get("label", "")) if isinstance(metadata, dict) else ""


def _words(value: str | None) -> int | None:
    if value is None:
        return None
    if not value.isdecimal():
        raise BehaviourUnknown(f"x-demo-words={value!r} is not a number")
    return int(value)


async def _fields(request: web.Request) -> Mapping[str, object]:
    """The fields of a token request, as a form or as JSON."""
    if request.content_type != "application/json":
        return dict(await request.post())
    try:
        content = await request.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _closed(entry: Entry, response: web.Response) -> web.Response:
    entry.status = response.status
    entry.outcome = "refused"
    return response


def _api_headers() -> dict[str, str]:
    return {"x-request-id": f"req_{uuid4().hex}", "openai-version": "2020-10-01", "openai-processing-ms": "1"}
