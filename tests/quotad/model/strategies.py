"""What happens to a ledger, as hypothesis draws it: small amounts, few ids, so that things meet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from tests.quotad.model.oracle import Facts
from tests.quotad.model.world import DAEMONS

MODELS = ("gpt-5", "gpt-5-mini", "o3")
IDS = tuple(f"r{n}" for n in range(6))
KEYS = 2
GROUPS = 2

BEGINNINGS = (
    datetime(2026, 3, 28, 22, tzinfo=UTC),  # an hour before the day in Berlin that has 23 hours
    datetime(2026, 10, 24, 21, tzinfo=UTC),  # and the one that has 25
    datetime(2026, 1, 31, 23, tzinfo=UTC),  # the end of a month
    datetime(2026, 7, 5, 14, tzinfo=UTC),  # Sunday night in Seoul
)
hours = st.sampled_from((1, 1, 1, 2, 3, 12, 24))
between_hours = st.sampled_from((0, 0, 1, 2, 5)).map(lambda whole: timedelta(hours=whole, minutes=30))

daemons = st.integers(0, DAEMONS - 1)
keys = st.integers(0, KEYS - 1)
owners = st.integers(0, KEYS + GROUPS - 1)
"""Keys first, then groups."""
ids = st.sampled_from(IDS)
models = st.sampled_from(MODELS)
leases = st.none() | between_hours | st.just(timedelta(hours=23, minutes=30))
small = st.integers(0, 12)
windows = st.sampled_from(
    (
        ("3600s", "UTC"),
        ("14400s", "UTC"),
        ("lifetime", "UTC"),
        ("hour", "Asia/Seoul"),
        ("day", "Europe/Berlin"),
        ("week", "Asia/Seoul"),
        ("month", "UTC"),
    )
)


@st.composite
def limits(draw: st.DrawFn) -> Facts:
    metric = draw(st.sampled_from(("total_tokens", "total_tokens", "requests", "output_tokens", "concurrency")))
    window, zone = ("lifetime", "UTC") if metric == "concurrency" else draw(windows)
    pattern = draw(st.sampled_from(("", "", "gpt-5*", "gpt-5", "o3")))
    most = draw(st.integers(1, 4) if metric in ("requests", "concurrency") else st.integers(0, 30))
    return {
        "metric": metric,
        "window": window,
        "zone": zone,
        "pattern": pattern,
        "max": most,
        "shadow": draw(st.integers(0, 5)) == 0,
    }


limit_sets = st.lists(
    limits(),
    min_size=1,
    max_size=3,
    unique_by=lambda given: tuple(given[part] for part in ("metric", "window", "pattern")),
)


@st.composite
def reserves(draw: st.DrawFn) -> Facts:
    amounts = draw(
        st.fixed_dictionaries({"total_tokens": small, "output_tokens": small}, optional={"requests": st.integers(1, 2)})
        | st.fixed_dictionaries({"input_tokens": small, "output_tokens": small})
        | st.fixed_dictionaries({}, optional={"total_tokens": small, "pages": small})
    )
    clipped = [metric for metric, amount in sorted(amounts.items()) if amount and metric != "requests"]
    minimums = draw(st.dictionaries(st.sampled_from(clipped), st.just(0), max_size=2)) if clipped else {}
    minimums = {metric: draw(st.integers(0, amounts[metric] - 1)) for metric in minimums}
    kind = {"call": "reserve", "id": draw(ids), "key": draw(keys), "model": draw(models), "lease": draw(leases)}
    return {**kind, "amounts": amounts, "minimums": minimums}


ages = st.just(timedelta()) | between_hours | st.sampled_from((timedelta(days=6), timedelta(days=6, seconds=1)))
finalizes = st.fixed_dictionaries(
    {
        "call": st.just("finalize"),
        "id": ids,
        "amounts": st.dictionaries(
            st.sampled_from(("total_tokens", "input_tokens", "output_tokens", "requests", "pages")),
            st.integers(0, 20),
            max_size=2,
        ),
        "unreserved": st.none() | st.none() | st.tuples(keys, models, ages),
    }
)
releases = st.fixed_dictionaries({"call": st.just("release"), "id": ids})
renews = st.fixed_dictionaries(
    {"call": st.just("renew"), "ids": st.lists(ids, min_size=1, max_size=3), "lease": leases}
)
reads = st.fixed_dictionaries({"call": st.just("read"), "id": ids})
operations = reserves() | reserves() | finalizes | releases | renews | reads
