"""What to charge for an answer whose report never came."""

from __future__ import annotations

import math

from proxy.metering.usage import Amounts


def estimate_seen(held: Amounts, output_bytes: int, bytes_per_token: float) -> Amounts:
    """The input as it was held, and the output text that came."""
    return _amounts(held["input_tokens"], math.ceil(output_bytes / bytes_per_token))


def estimate_whole(held: Amounts, output_bytes: int, bytes_per_token: float) -> Amounts:
    """An answer that nobody read to its end: at least what was held, so that leaving early is never cheaper."""
    seen = math.ceil(output_bytes / bytes_per_token)
    return _amounts(held["input_tokens"], max(held["output_tokens"], seen))


def _amounts(input_tokens: int, output_tokens: int) -> Amounts:
    return {
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
    }
