"""Secrets at rest and the key that protects them."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.records import write
from proxy.records.accounts import ApiKeyCredentials, NewAccount, OAuthCredentials
from proxy.records.secrets import SecretBox, SecretKeyUnusable, load_secret_box

KEY = ApiKeyCredentials("sk-very-secret")
PAIR = OAuthCredentials("access-secret", "refresh-secret", "id-secret")


def test_what_was_sealed_opens_with_the_key_of_the_same_file(tmp_path: Path) -> None:
    file = tmp_path / "data" / "proxy.key"
    sealed = [load_secret_box(file).seal(credentials) for credentials in (KEY, PAIR)]
    assert [load_secret_box(file).open(one) for one in sealed] == [KEY, PAIR]


def test_the_key_file_is_the_owners_alone(tmp_path: Path) -> None:
    load_secret_box(tmp_path / "proxy.key")
    assert stat.S_IMODE((tmp_path / "proxy.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["proxy.key"]


def test_replicas_that_race_for_a_key_file_all_use_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        boxes = list(threads.map(lambda _: load_secret_box(tmp_path / "proxy.key"), range(16)))
    sealed = boxes[0].seal(KEY)
    assert all(box.open(sealed) == KEY for box in boxes)


def test_a_key_from_the_environment_needs_no_file(tmp_path: Path) -> None:
    key = Fernet.generate_key().decode()
    sealed = load_secret_box(tmp_path / "none.key", key).seal(PAIR)
    assert load_secret_box(tmp_path / "none.key", f"{key}\n").open(sealed) == PAIR
    assert not list(tmp_path.iterdir())


def test_another_key_is_named_with_what_to_do(tmp_path: Path) -> None:
    sealed = load_secret_box(tmp_path / "old.key").seal(KEY)
    with pytest.raises(SecretKeyUnusable, match=r"new\.key: put the old key back, or remove the accounts"):
        load_secret_box(tmp_path / "new.key").open(sealed)


@pytest.mark.parametrize("content", ["", "not a key", "a" * 5_000, "\xff\xfe"])
def test_a_file_without_a_key_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "proxy.key").write_text(content, encoding="latin-1")
    with pytest.raises(SecretKeyUnusable, match=r"proxy\.key does not hold a key"):
        load_secret_box(tmp_path / "proxy.key")


def test_a_key_of_the_environment_that_is_none_is_named_without_its_value(tmp_path: Path) -> None:
    with pytest.raises(SecretKeyUnusable, match="PROXY_SECRET_KEY does not hold a key") as caught:
        load_secret_box(tmp_path / "proxy.key", "hunter2")
    assert "hunter2" not in str(caught.value)


def test_a_key_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SecretKeyUnusable, match="cannot be read or made"):
        load_secret_box(tmp_path / "file" / "proxy.key")


def test_secrets_show_up_in_no_representation() -> None:
    shown = repr((KEY, PAIR, NewAccount("one", "http://x/v1", PAIR, token_url="http://x/t")))
    assert "secret" not in shown


async def test_the_table_holds_no_secret_in_the_clear(connection: AsyncConnection) -> None:
    box = SecretBox(Fernet.generate_key(), "test")
    await write.add_account(connection, NewAccount("one", "http://x/v1", PAIR, token_url="http://x/t"), box)
    held = (await connection.execute(text("SELECT accounts::text FROM proxy.accounts"))).scalar_one()
    sealed = (await connection.execute(text("SELECT sealed_credentials FROM proxy.accounts"))).scalar_one()
    assert "secret" not in held
    assert b"secret" not in sealed
