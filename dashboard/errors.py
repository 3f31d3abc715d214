"""Every reason for which the dashboard refuses, as one class each.

    DashboardError
    ├── InvalidInput           400  invalid_request       a parameter or a field is wrong; `field` names it
    ├── PasswordTooShort       400  password_too_short
    ├── PasswordTooLong        400  password_too_long
    ├── NotSignedIn            401  not_signed_in         no session, or one that has ended
    ├── WrongPassword          401  wrong_password
    ├── WrongToken             401  wrong_token           not the bootstrap token
    ├── TotpRequired           401  totp_required         the session has shown the password, and a code is due
    ├── WrongCode              401  wrong_code            no code of this moment, no recovery code
    ├── CodeSpent              401  code_spent            a right code that was used before
    ├── CsrfFailed             403  csrf_failed           the session's token is missing or wrong
    ├── CrossOrigin            403  cross_origin          another site's page sent it
    ├── StepUpRequired         403  step_up_required      show the password or a code again, then repeat it
    ├── NotFound               404  not_found             no such path
    ├── ResourceNotFound       404  resource_not_found    no such key, group, account or session
    ├── MethodNotAllowed       405  method_not_allowed
    ├── BodyTimeout            408  body_timeout          the body did not arrive in time
    ├── PasswordNotSet         409  password_not_set      the first password is set with the bootstrap token
    ├── PasswordAlreadySet     409  password_already_set  the bootstrap token is spent
    ├── TotpNotConfigured      409  totp_not_configured   one-time passwords are off
    ├── TotpConfigured         409  totp_configured       they are on already
    ├── TotpSetupMissing       409  totp_setup_missing    nothing to confirm, or its time is over
    ├── AccountNameTaken       409  account_name_taken
    ├── AccountBusy            409  account_busy          its tokens change all the time: try again
    ├── EtagMismatch           409  etag_mismatch         the edit was made on stale data: read again
    ├── SettingsConflict       409  settings_conflict     the same for the settings
    ├── GroupNotEmpty          409  group_not_empty       keys or groups are still in it
    ├── GroupTreeInvalid       409  group_tree_invalid    below itself, or too deep
    ├── LengthRequired         411  length_required
    ├── BodyTooLarge           413  body_too_large
    ├── BodyNotJson            415  body_not_json
    ├── TooManyAttempts        429  too_many_attempts     with Retry-After
    ├── ExportsBusy            429  exports_busy          with Retry-After
    ├── StreamsBusy            429  streams_busy          with Retry-After
    ├── InternalError          500  internal_error        a defect; the log has it
    ├── SecretLost             503  secret_lost           a key was made, the answer with its secret was lost
    ├── TotpUnreadable         503  totp_unreadable       its secret was encrypted with another key
    ├── RotatedSecretLost      503  secret_lost           the same for another secret of a key
    ├── AccountKeyUnusable     503  account_key_unusable  not the key that accounts' secrets are encrypted with
    ├── SettingsUnreadable     503  settings_unreadable   stored by another version, or by hand
    ├── DatabaseUnavailable    503  database_unavailable  with Retry-After
    └── QuotadUnavailable      503  quotad_unavailable    with Retry-After

Those about edits of keys, groups, accounts and settings stand in `dashboard.edit_errors`.
Messages are safe to show to whoever asked. All are rendered in `dashboard.failures`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

RETRY_SECONDS = 2


class DashboardError(Exception):
    """A definite answer other than success."""

    status: ClassVar[int]
    code: ClassVar[str]
    default_message: ClassVar[str]

    def __init__(
        self, message: str | None = None, *, field: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        self.message = message or self.default_message
        super().__init__(self.message)
        self.field = field
        """The parameter or the path of the body's field that is wrong, where one is."""
        self.headers: Mapping[str, str] = dict(headers or {})


class InvalidInput(DashboardError):
    """A parameter or a field of the body cannot be used."""

    status = 400
    code = "invalid_request"
    default_message = "The request cannot be used."


class PasswordTooShort(DashboardError):
    """A new password is too easy to guess."""

    status = 400
    code = "password_too_short"

    def __init__(self, characters_min: int) -> None:
        super().__init__(f"The password needs at least {characters_min} characters.", field="newPassword")


class PasswordTooLong(DashboardError):
    """A password is longer than is hashed."""

    status = 400
    code = "password_too_long"

    def __init__(self, characters_max: int) -> None:
        super().__init__(f"The password can have at most {characters_max} characters.")


class NotSignedIn(DashboardError):
    """There is no session, or it has ended."""

    status = 401
    code = "not_signed_in"
    default_message = "Sign in first."


class WrongPassword(DashboardError):
    """Not the operator's password."""

    status = 401
    code = "wrong_password"
    default_message = "The password is wrong."


class WrongToken(DashboardError):
    """Not the bootstrap token of this start."""

    status = 401
    code = "wrong_token"
    default_message = "The bootstrap token is wrong: the service prints a new one at each start."


class TotpRequired(DashboardError):
    """The session has shown the password and has yet to show a code."""

    status = 401
    code = "totp_required"
    default_message = "Enter a code of your authenticator app first."


class WrongCode(DashboardError):
    """Neither a code of this moment nor a recovery code."""

    status = 401
    code = "wrong_code"
    default_message = "The code is wrong. Codes change every 30 seconds: check the clock of your phone."


class CodeSpent(DashboardError):
    """A right code, but every code is taken once."""

    status = 401
    code = "code_spent"
    default_message = "This code was used already, or a later one was. Wait for the next."


class CsrfFailed(DashboardError):
    """The header does not carry the session's token."""

    status = 403
    code = "csrf_failed"
    default_message = "The X-CSRF-Token header must carry the csrfToken of GET /api/auth/session."


class CrossOrigin(DashboardError):
    """A browser says that another site's page sent the request."""

    status = 403
    code = "cross_origin"
    default_message = "Requests from other sites are refused."


class StepUpRequired(DashboardError):
    """What is asked for is dangerous, and the session's last proof of who it is too old."""

    status = 403
    code = "step_up_required"
    default_message = "Show that it is you, by POST /api/auth/step-up, and repeat the request."


class NotFound(DashboardError):
    """Nothing is served at this path."""

    status = 404
    code = "not_found"
    default_message = "There is nothing here."


class ResourceNotFound(DashboardError):
    """The path is served, but what it names does not exist."""

    status = 404
    code = "resource_not_found"
    default_message = "It does not exist."


class MethodNotAllowed(DashboardError):
    """The path is served, but not with this method."""

    status = 405
    code = "method_not_allowed"
    default_message = "This method is not served here."


class BodyTimeout(DashboardError):
    """The body did not arrive in time."""

    status = 408
    code = "body_timeout"
    default_message = "The body did not arrive in time."


class PasswordNotSet(DashboardError):
    """Nobody can sign in before the first password is set."""

    status = 409
    code = "password_not_set"
    default_message = "No password is set yet: set it with the bootstrap token that the service printed."


class PasswordAlreadySet(DashboardError):
    """The bootstrap token is spent."""

    status = 409
    code = "password_already_set"
    default_message = "The password is set already: sign in with it."


class TotpNotConfigured(DashboardError):
    """One-time passwords are off."""

    status = 409
    code = "totp_not_configured"
    default_message = "One-time passwords are not set up."


class TotpConfigured(DashboardError):
    """One-time passwords are on already."""

    status = 409
    code = "totp_configured"
    default_message = "One-time passwords are set up already: turn them off first."


class TotpSetupMissing(DashboardError):
    """The session has begun no set-up, or has taken too long."""

    status = 409
    code = "totp_setup_missing"
    default_message = "There is no set-up to confirm, or its time is over: begin it again."


class LengthRequired(DashboardError):
    """The body's length must be known before it is read."""

    status = 411
    code = "length_required"
    default_message = "Send the body with a Content-Length."


class BodyTooLarge(DashboardError):
    """The body is above the cap."""

    status = 413
    code = "body_too_large"

    def __init__(self, bytes_max: int) -> None:
        super().__init__(f"The body is larger than {bytes_max} bytes.")


class BodyNotJson(DashboardError):
    """Only JSON is read: a form of another site cannot send it."""

    status = 415
    code = "body_not_json"
    default_message = "Send the body as application/json."


class TooManyAttempts(DashboardError):
    """Passwords or tokens were tried too often."""

    status = 429
    code = "too_many_attempts"

    def __init__(self, retry_seconds: float) -> None:
        seconds = max(1, math.ceil(retry_seconds))
        super().__init__(f"Too many attempts. Try again in {seconds} seconds.", headers={"Retry-After": str(seconds)})


class ExportsBusy(DashboardError):
    """As many exports run as are allowed at a time."""

    status = 429
    code = "exports_busy"

    def __init__(self) -> None:
        retry = {"Retry-After": str(RETRY_SECONDS)}
        super().__init__("Other exports are under way: wait until they are done.", headers=retry)


class StreamsBusy(DashboardError):
    """As many event streams are open as are allowed."""

    status = 429
    code = "streams_busy"

    def __init__(self) -> None:
        retry = {"Retry-After": str(RETRY_SECONDS)}
        super().__init__("Too many live pages are open: close one, or poll.", headers=retry)


class InternalError(DashboardError):
    """A defect of the service; its log has the details."""

    status = 500
    code = "internal_error"
    default_message = "The service failed to answer."


class TotpUnreadable(DashboardError):
    """The key that this service has is not the one that the secret was encrypted with."""

    status = 503
    code = "totp_unreadable"
    default_message = (
        "The secret of the one-time passwords was encrypted with another key: put the old key back, "
        "or sign in with a recovery code."
    )


class Unavailable(DashboardError):
    """A part behind the service is away; the same request may work in a moment."""

    status = 503

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message, headers={"Retry-After": str(RETRY_SECONDS)})


class DatabaseUnavailable(Unavailable):
    """The database is away or too slow."""

    code = "database_unavailable"
    default_message = "The database cannot be reached. Try again."


class QuotadUnavailable(Unavailable):
    """quotad is away, or refuses this service's token."""

    code = "quotad_unavailable"
    default_message = "quotad cannot be reached. Try again."
