"""What one check found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    WARN = "warn"
    """It works, and may cost something later."""
    FAIL = "fail"
    """It does not work, or a promise of the ledger does not hold."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. Never carries a secret."""

    check: str
    verdict: Verdict
    said: str
    advice: str = ""
    """What to do; empty where all is well."""


def ok(check: str, said: str) -> Finding:
    return Finding(check, Verdict.OK, said)


def warn(check: str, said: str, advice: str) -> Finding:
    return Finding(check, Verdict.WARN, said, advice)


def fail(check: str, said: str, advice: str) -> Finding:
    return Finding(check, Verdict.FAIL, said, advice)
