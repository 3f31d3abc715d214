"""The second factor: one-time passwords and recovery codes, and showing again who it is."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Request, status
from pydantic import Field, SecretStr

from dashboard.api.auth import Session, session_answer
from dashboard.api.schema import Answer, Input, Moment, Secret
from dashboard.auth import second_factor, step_up
from dashboard.auth.factors import get_factor_state
from dashboard.auth.proof import GivenCode
from dashboard.auth.step_up import SteppedUp
from dashboard.services import CallerKnown, ServicesNeeded, SessionNeeded

router = APIRouter(prefix="/api/auth", tags=["auth"])

HOST_CHARACTERS_MAX = 100


class TotpState(Answer):
    """Whether one-time passwords are on."""

    configured: bool
    confirm_time: Moment | None
    """Since when."""
    recovery_codes_left: int


class TotpSetup(Answer):
    """A secret that becomes the second factor with its first code."""

    secret: str
    """Base32, for typing into an app."""
    otpauth_uri: str
    qr_svg: str
    """The URI as a QR code: an SVG element."""
    expire_time: Moment
    """When it can no longer be confirmed."""


class RecoveryCodes(Answer):
    """Codes that each let in once in place of the app; they are not shown again."""

    recovery_codes: list[str]


class TotpConfirmation(Input):
    """The first code of the app."""

    code: Secret


class Code(Input):
    """What is shown as the second factor: one of the two."""

    code: Secret | None = Field(default=None, description="Six digits of the authenticator app.")
    recovery_code: Secret | None = Field(default=None, description="One of the recovery codes.")


class Proof(Code):
    """What shows again who it is: one of the three."""

    password: Secret | None = None


@router.get("/totp")
async def get_totp(services: ServicesNeeded) -> TotpState:
    """Say whether one-time passwords are on."""
    async with services.database.transaction() as connection:
        state = await get_factor_state(connection)
    return TotpState(
        configured=state.confirm_time is not None,
        confirm_time=state.confirm_time,
        recovery_codes_left=state.recovery_codes_left,
    )


@router.post("/totp/setup")
async def setup_totp(request: Request, services: ServicesNeeded, session: SteppedUp) -> TotpSetup:
    """Make a secret for an authenticator app; nothing changes before it is confirmed. Needs a step-up."""
    host = request.headers.get("host", "")[:HOST_CHARACTERS_MAX]
    setup = await second_factor.begin_setup(services, session, f"operator@{host}")
    return TotpSetup.model_validate(setup)


@router.post("/totp/confirm")
async def confirm_totp(
    body: TotpConfirmation, services: ServicesNeeded, session: SessionNeeded, caller: CallerKnown
) -> RecoveryCodes:
    """Turn one-time passwords on; this session has shown its code, every other one owes it."""
    codes = await second_factor.confirm_setup(services, session, body.code.get_secret_value(), caller)
    return RecoveryCodes(recovery_codes=list(codes))


@router.post("/totp/verify")
async def verify_totp(body: Code, services: ServicesNeeded, session: SessionNeeded, caller: CallerKnown) -> Session:
    """Show a code, or a recovery code in place of a lost phone; the session ends when it would have ended anyway."""
    await second_factor.verify(services, session, _given(body), caller)
    return session_answer(services, replace(session, is_totp_verified=True))


@router.post("/totp/disable", status_code=status.HTTP_204_NO_CONTENT)
async def disable_totp(body: Code, services: ServicesNeeded, session: SessionNeeded, caller: CallerKnown) -> None:
    """Turn one-time passwords off, for a session that has shown password and code, with one more code."""
    await second_factor.turn_off(services, session, _given(body), caller)


@router.post("/recovery-codes")
async def renew_recovery_codes(services: ServicesNeeded, session: SteppedUp, caller: CallerKnown) -> RecoveryCodes:
    """Make other recovery codes; the ones that there were work no more. Needs a step-up."""
    codes = await second_factor.renew_recovery_codes(services, session, caller)
    return RecoveryCodes(recovery_codes=list(codes))


@router.post("/step-up", status_code=status.HTTP_204_NO_CONTENT)
async def step_up_session(body: Proof, services: ServicesNeeded, session: SessionNeeded, caller: CallerKnown) -> None:
    """Show password or code again, after which what is dangerous is possible for a while."""
    await step_up.step_up(services, session, _text(body.password), _given(body), caller)


def _given(body: Code) -> GivenCode:
    return GivenCode(_text(body.code), _text(body.recovery_code))


def _text(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
