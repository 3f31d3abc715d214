"""Codes, as an authenticator app makes them."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pyotp
import pytest

from dashboard.auth import recovery, totp

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("seconds", "code"), [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")]
)
def test_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    """RFC 6238, appendix B, the last six of its eight digits."""
    assert totp.matching_step(RFC_SECRET, code, seconds) == seconds // 30


def test_a_clock_may_be_off_by_one_step_either_way() -> None:
    now = 1_000_000 * 30 + 7.5
    code = {step: pyotp.TOTP(RFC_SECRET).generate_otp(1_000_000 + step) for step in range(-2, 3)}
    found = [totp.matching_step(RFC_SECRET, code[step], now) for step in range(-2, 3)]
    assert found == [None, 999_999, 1_000_000, 1_000_001, None]


def test_spaces_that_apps_show_do_not_matter() -> None:
    assert totp.matching_step(RFC_SECRET, " 287 082 ", 59) == 1


@pytest.mark.parametrize("code", ["", "28708", "2870821", "287083", "x" * 100_000, "\0", "😀"])
def test_nothing_else_is_a_code(code: str) -> None:
    assert totp.matching_step(RFC_SECRET, code, 59) is None


def test_a_secret_is_random_and_long() -> None:
    secret = totp.new_secret()
    assert secret != totp.new_secret()
    assert len(base64.b32decode(secret)) == 20


def test_apps_are_told_what_the_secret_is_for() -> None:
    uri = urlsplit(totp.otpauth_uri(RFC_SECRET, "operator@quota.example:8090"))
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert uri.path == "/quotad:operator%40quota.example%3A8090"
    assert parse_qs(uri.query) == {"secret": [RFC_SECRET], "issuer": ["quotad"]}


def test_the_qr_code_is_an_image_without_anything_that_runs() -> None:
    svg = ElementTree.fromstring(totp.qr_svg(totp.otpauth_uri(RFC_SECRET, "operator@" + "x" * 100)))
    names = {element.tag.removeprefix("{http://www.w3.org/2000/svg}") for element in svg.iter()}
    assert names == {"svg", "g", "path"}


def test_recovery_codes_are_ten_different_ones() -> None:
    assert len(set(recovery.new_codes())) == 10


def test_a_recovery_code_may_be_typed_in_any_way() -> None:
    assert recovery.hash_of("abcd-efgh-jkmn-pqrs") == recovery.hash_of(" ABCD efgh JKMNpqrs ")
    assert recovery.hash_of("abcd-efgh-jkmn-pqrs") != recovery.hash_of("abcd-efgh-jkmn-pqrt")
