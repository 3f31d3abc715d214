"""What all bodies share: camelCase, times in RFC 3339 UTC, every field of an answer always present."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, SecretStr, StringConstraints
from pydantic.alias_generators import to_camel

FILTER_CHARACTERS_MAX = 256


class Answer(BaseModel):
    """Part of an answer."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        frozen=True,
        use_attribute_docstrings=True,
        from_attributes=True,
        json_schema_serialization_defaults_required=True,
    )


class Input(BaseModel):
    """Part of a request's body; a field that is not known is a mistake worth naming."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        frozen=True,
        use_attribute_docstrings=True,
        extra="forbid",
        hide_input_in_errors=True,
    )


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as exc:
        raise ValueError("beyond the years 1 to 9999 in UTC") from exc


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("cannot contain NUL")
    return value


def _is_unicode(value: SecretStr) -> SecretStr:
    try:
        value.get_secret_value().encode()
    except UnicodeEncodeError as exc:
        raise ValueError("is not valid Unicode") from exc
    return value


Secret = Annotated[SecretStr, AfterValidator(_is_unicode)]
"""A password or token; JSON can spell half a character, which nothing can hash."""

Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A point in time; one without a zone is refused, never guessed."""

FilterText = Annotated[str, StringConstraints(max_length=FILTER_CHARACTERS_MAX), AfterValidator(_without_nul)]
"""A value that is looked for in the database, where no text holds NUL."""


class ErrorDetail(Answer):
    """Why there is no other answer."""

    code: str
    message: str
    field: str | None
    """The parameter or the path of the body's field that is wrong, where one is."""


class ErrorAnswer(Answer):
    """The body of every answer that is not a success."""

    error: ErrorDetail


NO_OTHER_ANSWER: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "Why there is no other answer",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorAnswer"}}},
    }
}
"""For `responses` of a route whose success is not JSON: its errors are."""
