"""The upstream's book against the ledger, request by request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.truth.crowd import Seen
from tests.truth.site import Site

LATEST_DRAIN_SECONDS = 8.0
"""After its caller left or was cut off, a request of this test has ended by then."""
CHARGES = """
SELECT labels ->> 'request_id' AS label, count(*) FILTER (WHERE state = 'finalized') AS finalized,
    coalesce(sum((actual ->> 'total_tokens')::bigint) FILTER (WHERE state = 'finalized'), 0)::bigint AS charged,
    bool_or(basis = 'reported') AS is_reported
FROM quotad.reservations GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Charge:
    """What the ledger charged for one request; more than one Finalize would be a double charge."""

    finalized: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Truth:
    """What was found wrong, and how many requests nothing could be said of."""

    wrong: tuple[str, ...]
    in_flight_of_a_killed_proxy: int
    compared: int


Kill = tuple[int, float]
"""Which proxy was killed, and when, by the monotonic clock."""


def compare(
    seen: Iterable[Seen], book: Mapping[str, int], charges: Mapping[str, Charge], kills: Sequence[Kill]
) -> Truth:
    """Charged is what was reported, to the token, for every request but those in flight in a killed proxy: these
    were charged that, or nothing."""
    wrong: list[str] = []
    in_flight = compared = 0
    for request in seen:
        reported = book.get(request.label, 0)
        charge = charges.get(request.label, Charge(0, 0))
        is_excused = request.status is None and _was_killed(request, kills)
        in_flight += is_excused
        compared += not is_excused
        if charge.finalized > 1:
            wrong.append(f"{request}: finalized {charge.finalized} times")
        elif charge.tokens != reported and not (is_excused and charge.tokens == 0):
            wrong.append(f"{request}: charged {charge.tokens}, reported {reported}")
    return Truth(tuple(wrong), in_flight, compared)


async def read_book(site: Site) -> dict[str, int]:
    """Tokens in reports that the upstream sent, by the label of the request."""
    reported: Counter[str] = Counter()
    for entry in await site.book():
        usage = entry["usage"]
        if isinstance(usage, Mapping):
            reported[str(entry["label"])] += usage["total_tokens"]
    return dict(reported)


async def read_charges(site: Site) -> dict[str, Charge]:
    async with site.database() as connection:
        rows = await connection.fetch(CHARGES)
    return {row["label"]: Charge(row["finalized"], row["charged"]) for row in rows}


def _was_killed(request: Seen, kills: Sequence[Kill]) -> bool:
    last = request.ended + LATEST_DRAIN_SECONDS
    return any(proxy == request.proxy and request.began <= moment <= last for proxy, moment in kills)
