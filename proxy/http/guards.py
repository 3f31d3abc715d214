"""Guards: a request's key and body are judged here, before anything is reserved for it."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from proxy.dialects import Dialect
from proxy.errors import BadRequest, InvalidApiKey

KEY_CHARS_MAX = 256
KEY = re.compile(rf"[\x21-\x7e]{{1,{KEY_CHARS_MAX}}}")
INLINE_BYTES_MAX = 256 * 1024
"""Parsed within a few milliseconds."""
DECIDING_FIELDS = (
    *("model", "stream", "max_output_tokens"),
    *("max_completion_tokens", "max_tokens", "n", "stream_options", "include_usage"),
)
MODEL_BYTES_MAX = 256
"""As the ledger bounds it."""


@dataclass(frozen=True, slots=True)
class RequestFields:
    """What the proxy itself needs to know of a body; the bytes go upstream as they came."""

    model: str
    stream: bool
    content: dict[str, Any]


def bearer_key(authorization: str | None) -> str:
    """The key of an `Authorization: Bearer` header; raises `InvalidApiKey`."""
    scheme, _, key = (authorization or "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise InvalidApiKey("You didn't provide an API key. Send it as: Authorization: Bearer YOUR_KEY.")
    if not KEY.fullmatch(key):
        raise InvalidApiKey
    return key


async def parse_fields(body: bytes, containers_max: int, dialect: Dialect) -> RequestFields:
    """`read_fields`, a large body in a thread, so that other streams go on."""
    if len(body) <= INLINE_BYTES_MAX:
        return read_fields(body, containers_max, dialect)
    return await asyncio.to_thread(read_fields, body, containers_max, dialect)


def read_fields(body: bytes, containers_max: int, dialect: Dialect) -> RequestFields:
    """Parse a body once; raises `BadRequest` naming the field that is wrong."""
    if body.count(b"{") + body.count(b"[") > containers_max:
        raise BadRequest(f"The request body has more than {containers_max} objects and arrays.", code="invalid_json")
    content = _parse(body)
    model = _model(content)
    for name, maximum in dialect.integer_fields.items():
        _check_integer(content, name, maximum)
    _check_stream_options(content.get("stream_options"))
    return RequestFields(model, _flag(content.get("stream"), "stream"), content)


def _parse(body: bytes) -> dict[str, Any]:
    if not body.strip():
        raise BadRequest("The request body is empty; a JSON object is expected.", code="invalid_json")
    try:
        content = json.loads(body, parse_constant=_refuse_constant, object_pairs_hook=_unambiguous)
    except (ValueError, RecursionError) as exc:
        raise BadRequest("The request body is not valid JSON.", code="invalid_json") from exc
    if not isinstance(content, dict):
        raise BadRequest("The request body must be a JSON object.", code="invalid_type")
    return content


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; a field that decides on limits must not mean one thing here and another upstream."""
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        for name in DECIDING_FIELDS:
            if names.count(name) > 1:
                raise BadRequest(f"'{name}' is given more than once.", param=name, code="duplicate_parameter")
    return content


def _refuse_constant(name: str) -> NoReturn:
    # RFC 8259, 6: NaN and the infinities are no JSON, though Python reads them.
    raise ValueError(f"{name} is not JSON")


def _model(content: dict[str, Any]) -> str:
    model = content.get("model")
    if model is None:
        raise BadRequest("Missing required parameter: 'model'.", param="model", code="missing_required_parameter")
    if not isinstance(model, str):
        raise BadRequest("Invalid type for 'model': expected a string.", param="model", code="invalid_type")
    if not model or not model.isprintable() or len(model.encode(errors="replace")) > MODEL_BYTES_MAX:
        raise BadRequest(f"'model' must be 1 to {MODEL_BYTES_MAX} bytes of printable text.", param="model")
    return model


def _flag(value: object, name: str) -> bool:
    if not (value is None or isinstance(value, bool)):
        raise BadRequest(f"Invalid type for '{name}': expected a boolean.", param=name, code="invalid_type")
    return bool(value)


def _check_stream_options(value: object) -> None:
    if not (value is None or isinstance(value, dict)):
        message = "Invalid type for 'stream_options': expected an object."
        raise BadRequest(message, param="stream_options", code="invalid_type")
    _flag((value or {}).get("include_usage"), "stream_options.include_usage")


def _check_integer(content: dict[str, Any], name: str, maximum: int) -> None:
    value = content.get(name)
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadRequest(f"Invalid type for '{name}': expected an integer.", param=name, code="invalid_type")
    if not 0 < value <= maximum:
        raise BadRequest(f"'{name}' must be between 1 and {maximum}.", param=name, code="integer_out_of_range")
