"""Service tokens: made once, stored hashed, revoked for good."""

from __future__ import annotations

import asyncio

import pytest

from quotad.administration import TokenRole
from quotad.core.keys import TokenDraft
from quotad.errors import InvalidRequest, ResourceNotFound
from quotad.store.configuration import secret_hash
from quotad.store.tokens import Token
from tests.quotad.store.conftest import Bench

SECRET = "a-bootstrap-token-of-tests"


async def test_a_token_is_known_by_its_hash_alone(bench: Bench) -> None:
    draft = TokenDraft("proxies", TokenRole.DATA, ("blue", "red", "blue"), may_charge_unreserved=True)
    made, secret = await bench.store.tokens.create("once", draft)
    assert secret is not None
    assert made.tenant_ids == ("blue", "red")
    known = await bench.store.tokens.load()
    assert known == {secret_hash(secret): Token("proxies", TokenRole.DATA, frozenset({"blue", "red"}), True)}
    assert secret not in repr(made)


def test_a_token_without_tenants_may_touch_all() -> None:
    everywhere, blue = Token("x", TokenRole.DATA), Token("y", TokenRole.DATA, frozenset({"blue"}))
    assert everywhere.may_touch("blue")
    assert everywhere.may_touch_all
    assert blue.may_touch("blue")
    assert not blue.may_touch("red")
    assert not blue.may_touch_all


async def test_a_repeated_creation_makes_one_token_and_tells_no_secret(bench: Bench) -> None:
    draft = TokenDraft("proxies", TokenRole.DATA)
    outcomes = await asyncio.gather(*(bench.store.tokens.create("once", draft) for _ in range(4)))
    assert len({token.token_id for token, _ in outcomes}) == 1
    assert sum(secret is not None for _, secret in outcomes) == 1


async def test_a_revoked_token_is_not_known_and_its_name_is_free(bench: Bench) -> None:
    draft = TokenDraft("proxies", TokenRole.DATA)
    made, _ = await bench.store.tokens.create("first", draft)
    revoked = await bench.store.tokens.revoke(made.token_id)
    assert revoked.revoke_time is not None
    assert await bench.store.tokens.revoke(made.token_id) == revoked
    assert await bench.store.tokens.load() == {}
    again, secret = await bench.store.tokens.create("second", draft)
    assert secret is not None
    listed, _ = await bench.store.tokens.list(page_size=10, page_token="")
    assert listed == (again,)


async def test_two_tokens_never_share_a_name(bench: Bench) -> None:
    await bench.store.tokens.create("first", TokenDraft("proxies", TokenRole.DATA))
    with pytest.raises(InvalidRequest, match="name"):
        await bench.store.tokens.create("second", TokenDraft("proxies", TokenRole.ADMIN))


async def test_a_token_of_the_settings_replaces_the_one_before(bench: Bench) -> None:
    for secret in (SECRET, SECRET, SECRET + "2"):
        assert await bench.store.tokens.put("bootstrap-data", secret, TokenRole.DATA)
    known = await bench.store.tokens.load()
    assert known == {secret_hash(SECRET + "2"): Token("bootstrap-data", TokenRole.DATA)}


async def test_a_token_of_the_settings_that_was_revoked_stays_so(bench: Bench) -> None:
    await bench.store.tokens.put("bootstrap-data", SECRET, TokenRole.DATA)
    listed, _ = await bench.store.tokens.list(page_size=10, page_token="")
    await bench.store.tokens.revoke(listed[0].token_id)
    assert not await bench.store.tokens.put("bootstrap-data", SECRET, TokenRole.DATA)
    assert await bench.store.tokens.load() == {}


async def test_tokens_are_listed_in_pages(bench: Bench) -> None:
    for name in ("a", "b", "c"):
        await bench.store.tokens.create(name, TokenDraft(name, TokenRole.ADMIN))
    first, token = await bench.store.tokens.list(page_size=2, page_token="")
    rest, end = await bench.store.tokens.list(page_size=2, page_token=token)
    assert [found.name for found in (*first, *rest)] == ["a", "b", "c"]
    assert end == ""


@pytest.mark.parametrize(
    "draft",
    [
        TokenDraft("", TokenRole.DATA),
        TokenDraft("bootstrap-admin", TokenRole.DATA),
        TokenDraft("x", TokenRole.DATA, ("no tenant",)),
        TokenDraft("x", TokenRole.DATA, tuple(f"t{number}" for number in range(1001))),
    ],
)
async def test_a_wrong_token_is_refused(bench: Bench, draft: TokenDraft) -> None:
    with pytest.raises(InvalidRequest):
        await bench.store.tokens.create("wrong", draft)


async def test_an_unknown_token_is_told_as_one(bench: Bench) -> None:
    with pytest.raises(ResourceNotFound):
        await bench.store.tokens.revoke("tok_nobody")
