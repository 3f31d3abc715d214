from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.metering.hold import HoldSizes, size_hold, size_input, with_cost
from proxy.metering.pricing import flat_price, microusd, tokens_cost

SIZES = HoldSizes(
    bytes_per_token=3,
    image_tokens=1500,
    upstream_context_tokens=8192,
    default_output_tokens=4096,
    compact_output_tokens_max=16_384,
    min_output_tokens=256,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def held(content: dict[str, Any], **options: Any) -> tuple[int, int]:
    amounts = size_hold(content, SIZES, **{"is_compact": False, **options}).amounts
    return amounts["input_tokens"], amounts["output_tokens"]


@given(content=st.dictionaries(st.sampled_from(["input", "instructions", "max_output_tokens", "tools"]), json_values))
def test_a_minimum_is_never_above_its_amount(content: dict[str, Any]) -> None:
    for is_compact in (False, True):
        hold = size_hold(content, SIZES, is_compact=is_compact)
        assert set(hold.min_amounts) == set(hold.amounts) == {"input_tokens", "output_tokens", "total_tokens"}
        assert all(0 <= hold.min_amounts[metric] <= hold.amounts[metric] for metric in hold.amounts)


@given(value=json_values, more=st.text())
def test_more_text_never_holds_less(value: Any, more: str) -> None:
    assert size_input({"input": [value, "word " + more]}, SIZES) >= size_input({"input": [value]}, SIZES)


def test_text_is_counted_in_utf8_bytes_and_rounded_up() -> None:
    assert held({"input": "abcd"})[0] == 2
    assert held({"input": "äöü"})[0] == 2
    assert held({"input": "\ud800"})[0] == 1


def test_names_ids_and_opaque_data_are_no_text() -> None:
    message = {
        "type": "message",
        "role": "user",
        "id": "msg_1" * 100,
        "content": [{"type": "input_text", "text": "abc"}],
    }
    opaque = {"type": "reasoning", "encrypted_content": "x" * 10_000}
    assert held({"input": [message, opaque], "metadata": {"note": "x" * 999}, "user": "x" * 999})[0] == 1


def test_instructions_and_tools_are_text() -> None:
    tool = {"type": "function", "name": "abc", "parameters": {"properties": {"id": {"description": "def"}}}}
    assert held({"instructions": "abc", "tools": [tool]})[0] == 3


@pytest.mark.parametrize(
    "image",
    [
        {"type": "input_image", "image_url": "data:image/png;base64," + "A" * 100_000},
        {"type": "input_image", "image_url": "https://example.com/a.png"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        "data:image/png;base64,AAAA",
    ],
)
def test_an_image_holds_its_own_number_however_long_it_is(image: Any) -> None:
    assert held({"input": [{"role": "user", "content": [image]}]})[0] == 1500


@pytest.mark.parametrize(
    "content",
    [
        {"previous_response_id": "resp_1"},
        {"conversation": "conv_1"},
        {"input": [{"content": [{"type": "input_file", "file_id": "file_1"}]}]},
        {"input": [{"content": [{"type": "input_file", "file_data": "data:application/pdf;base64," + "A" * 9999}]}]},
        {"input": [{"type": "item_reference", "id": "msg_1"}]},
        {"prompt": {"id": "pmpt_1"}},
    ],
)
def test_context_that_lies_upstream_holds_its_own_number_once(content: dict[str, Any]) -> None:
    assert held(content)[0] == 8192
    assert held({**content, "previous_response_id": "resp_2"})[0] == 8192


def test_output_is_the_callers_maximum_else_the_keys_else_the_default() -> None:
    assert held({"max_output_tokens": 10}, key_output_tokens=50)[1] == 10
    assert held({}, key_output_tokens=50)[1] == 50
    assert held({"max_output_tokens": None})[1] == 4096


def test_the_least_output_is_bounded_by_what_the_caller_wants() -> None:
    least = size_hold({"input": "abc", "max_output_tokens": 16}, SIZES, is_compact=False).min_amounts
    assert least == {"input_tokens": 1, "output_tokens": 16, "total_tokens": 17}
    least = size_hold({"input": "abc"}, SIZES, is_compact=False).min_amounts
    assert least == {"input_tokens": 1, "output_tokens": 256, "total_tokens": 257}


def test_compaction_holds_half_its_input_as_output_up_to_a_maximum() -> None:
    assert held({"input": "x" * 300}, is_compact=True) == (100, 50)
    assert held({"input": "x" * 3_000_000}, is_compact=True) == (1_000_000, 16_384)


def test_a_deeply_nested_body_is_sized() -> None:
    nested: Any = "abc"
    for _ in range(50_000):
        nested = [nested]
    assert held({"input": nested})[0] == 1


def test_no_answer_is_held_longer_than_its_model_can_write() -> None:
    assert held({"max_output_tokens": 10**9}, context_tokens=400_000)[1] == 400_000
    assert held({}, context_tokens=400_000)[1] == 4096
    assert held({}, key_output_tokens=10_000, context_tokens=8192)[1] == 8192
    assert held({"max_output_tokens": 10**9}, context_tokens=None)[1] == 10**9


@given(content=st.dictionaries(st.sampled_from(["input", "max_output_tokens"]), json_values))
def test_the_least_cost_is_that_of_the_least_output(content: dict[str, Any]) -> None:
    price = flat_price(Decimal("1.25"), Decimal(10))
    hold = with_cost(size_hold(content, SIZES, is_compact=False), price)
    least = hold.min_amounts
    assert least["cost_microusd"] == microusd(tokens_cost(price, least["input_tokens"], least["output_tokens"]))
    assert least["cost_microusd"] <= hold.amounts["cost_microusd"]


def test_a_hold_without_a_price_names_no_cost() -> None:
    """B8: it is unknown, not zero."""
    hold = size_hold({"input": "abc"}, SIZES, is_compact=False)
    assert with_cost(hold, None) == hold
    assert "cost_microusd" not in hold.amounts


CHAT: dict[str, Any] = {"maximum_fields": ("max_completion_tokens", "max_tokens")}


def test_a_chat_holds_its_messages_and_what_else_a_model_reads() -> None:
    said = {"messages": [{"role": "user", "name": "abc", "content": "abc"}, {"role": "tool", "content": "abc"}]}
    assert held(said)[0] == 3
    functions = {"functions": [{"name": "abc", "description": "abc"}], "response_format": {"json_schema": ["abc"]}}
    assert held(said | functions)[0] == 6


@pytest.mark.parametrize(
    ("part", "tokens"),
    [
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 9000, "detail": "high"}}, 1500),
        ({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}, 1500),
        ({"type": "input_audio", "input_audio": {"data": "A" * 9000, "format": "wav"}}, 8192),
        ({"type": "file", "file": {"file_data": "A" * 9000}}, 8192),
        ({"type": "file", "file": {"file_id": "file-1"}}, 8192),
    ],
)
def test_the_pieces_of_a_chat_are_no_text(part: dict[str, Any], tokens: int) -> None:
    assert held({"messages": [{"role": "user", "content": [part]}]})[0] == tokens


def test_a_chat_holds_its_own_maximum_for_each_choice() -> None:
    assert held({"max_completion_tokens": 100}, **CHAT)[1] == 100
    assert held({"max_tokens": 50}, **CHAT, choices=3)[1] == 150
    assert held({"max_tokens": 50, "max_completion_tokens": 100}, **CHAT)[1] == 100
    assert held({}, **CHAT, choices=2)[1] == 2 * 4096
    assert held({"max_tokens": 9_000}, **CHAT, choices=2, context_tokens=1_000)[1] == 2_000
    assert held({"max_tokens": 50})[1] == 4096


def test_a_clipped_hold_leaves_each_choice_its_least() -> None:
    hold = size_hold({}, SIZES, is_compact=False, choices=2, **CHAT)
    assert hold.min_amounts["output_tokens"] == 512
