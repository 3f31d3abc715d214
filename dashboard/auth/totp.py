"""One-time passwords (RFC 6238, by pyotp): six digits, 30 seconds a step. Nothing here reads a clock."""

from __future__ import annotations

import hmac
import io

import pyotp
import segno

ISSUER = "quotad"
STEP_SECONDS = 30
DRIFT_STEPS = 1
"""How far the app's clock may be off, either way."""
DIGITS = 6


def new_secret() -> str:
    """160 random bits in base32, as RFC 4226 recommends."""
    return pyotp.random_base32()


def matching_step(secret: str, code: str, now_seconds: float) -> int | None:
    """The step whose code this is, among those around `now_seconds` (Unix time); every one is compared."""
    totp = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS)
    given = "".join(code.split())
    current = int(now_seconds // STEP_SECONDS)
    found = None
    for step in range(current - DRIFT_STEPS, current + DRIFT_STEPS + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), given.encode()):
            found = step
    return found


def otpauth_uri(secret: str, account: str) -> str:
    """What an authenticator app reads from the QR code; `account` tells this dashboard from others in its list."""
    return pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS).provisioning_uri(name=account, issuer_name=ISSUER)


def qr_svg(uri: str) -> str:
    """A QR code as an SVG element, dark on white whatever is around it."""
    svg = io.BytesIO()
    segno.make(uri, error="m").save(
        svg, kind="svg", xmldecl=False, nl=False, scale=4, border=4, dark="#000", light="#fff"
    )
    return svg.getvalue().decode()
