from __future__ import annotations

import json

import pytest

from proxy.dialects import CHAT, RESPONSES
from proxy.errors import BadRequest, InvalidApiKey
from proxy.http.guards import INLINE_BYTES_MAX, bearer_key, parse_fields, read_fields

CONTAINERS_MAX = 300_000


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer a b", "Bearer " + "k" * 257, "Bearer é", "k"],
)
def test_a_key_that_cannot_be_one_is_refused(authorization: str | None) -> None:
    with pytest.raises(InvalidApiKey):
        bearer_key(authorization)


def test_the_scheme_is_read_in_any_case() -> None:
    assert bearer_key("bearer sk-1") == "sk-1"


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        (b"", None, "invalid_json"),
        (b"  \n", None, "invalid_json"),
        (b"{", None, "invalid_json"),
        (b"\xff\xfe\xfd", None, "invalid_json"),
        (b"[" * 100_000, None, "invalid_json"),
        (b'{"model":' + b"[" * 100_000 + b"]" * 100_000 + b"}", None, "invalid_json"),
        (b'{"model":"m","temperature":NaN}', None, "invalid_json"),
        (b'{"model":"m","n":' + b"9" * 5000 + b"}", None, "invalid_json"),
        (b'{"model":"m","input":[' + b"[]," * 300_000 + b"[]]}", None, "invalid_json"),
        (b"[]", None, "invalid_type"),
        (b'"text"', None, "invalid_type"),
        (b"{}", "model", "missing_required_parameter"),
        (b'{"model":null}', "model", "missing_required_parameter"),
        (b'{"model":5}', "model", "invalid_type"),
        (b'{"model":""}', "model", "invalid_value"),
        (b'{"model":"\\ud800"}', "model", "invalid_value"),
        (b'{"model":"a\\nb"}', "model", "invalid_value"),
        (json.dumps({"model": "m" * 257}).encode(), "model", "invalid_value"),
        (b'{"model":"cheap","model":"dear"}', "model", "duplicate_parameter"),
        (b'{"model":"m","stream":"yes"}', "stream", "invalid_type"),
        (b'{"model":"m","stream":1}', "stream", "invalid_type"),
        (b'{"model":"m","max_output_tokens":"9"}', "max_output_tokens", "invalid_type"),
        (b'{"model":"m","max_output_tokens":true}', "max_output_tokens", "invalid_type"),
        (b'{"model":"m","max_output_tokens":1.5}', "max_output_tokens", "invalid_type"),
        (b'{"model":"m","max_output_tokens":0}', "max_output_tokens", "integer_out_of_range"),
        (b'{"model":"m","max_output_tokens":99999999999999999999}', "max_output_tokens", "integer_out_of_range"),
    ],
)
def test_a_body_that_cannot_be_served_names_what_is_wrong(body: bytes, param: str | None, code: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_fields(body, CONTAINERS_MAX, RESPONSES)
    assert (caught.value.param, caught.value.code) == (param, code)


async def test_a_large_body_is_read_as_a_small_one() -> None:
    body = json.dumps({"model": "m", "input": "x" * INLINE_BYTES_MAX}).encode()
    assert (await parse_fields(body, CONTAINERS_MAX, RESPONSES)).model == "m"


def test_a_body_is_read_once_for_all_that_is_needed() -> None:
    fields = read_fields(
        b'{"model":"m","stream":true,"max_output_tokens":null,"odd":1,"odd":2}', CONTAINERS_MAX, RESPONSES
    )
    assert (fields.model, fields.stream, fields.content["odd"]) == ("m", True, 2)


@pytest.mark.parametrize(
    ("member", "param", "code"),
    [
        (b'"max_tokens":"9"', "max_tokens", "invalid_type"),
        (b'"max_completion_tokens":0', "max_completion_tokens", "integer_out_of_range"),
        (b'"n":true', "n", "invalid_type"),
        (b'"n":129', "n", "integer_out_of_range"),
        (b'"stream_options":[]', "stream_options", "invalid_type"),
        (b'"stream_options":{"include_usage":"yes"}', "stream_options.include_usage", "invalid_type"),
        (b'"max_tokens":1,"max_tokens":900', "max_tokens", "duplicate_parameter"),
        (b'"n":1,"n":100', "n", "duplicate_parameter"),
        (b'"stream_options":{"include_usage":false,"include_usage":true}', "include_usage", "duplicate_parameter"),
    ],
)
def test_what_decides_on_a_chats_amounts_is_judged(member: bytes, param: str, code: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_fields(b'{"model":"m",' + member + b"}", CONTAINERS_MAX, CHAT)
    assert (caught.value.param, caught.value.code) == (param, code)


def test_fields_of_the_other_api_are_nobodys_business() -> None:
    assert read_fields(b'{"model":"m","n":"x","max_tokens":-1}', CONTAINERS_MAX, RESPONSES).model == "m"
    assert read_fields(b'{"model":"m","max_output_tokens":-1}', CONTAINERS_MAX, CHAT).model == "m"
