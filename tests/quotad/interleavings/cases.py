"""What meets in the ledger."""

from __future__ import annotations

from quotad.values import WindowKind
from tests.quotad.interleavings.scene import (
    Case,
    batch,
    edit,
    expire,
    finalize,
    finalize_unreserved,
    limit,
    release,
    renew,
    reserve,
)

TOKENS = (limit(100),)
SEVERAL = (limit(100), limit(10, "requests", WindowKind.DAY), limit(3, "concurrency"))

PAIRS = (
    Case("two requests, room for one", TOKENS, (), (batch(reserve("a", 60)), batch(reserve("b", 60)))),
    Case(
        "two requests, room for one, in a window that is there",
        SEVERAL,
        (reserve("z", 20),),
        (batch(reserve("a", 60)), batch(reserve("b", 60))),
    ),
    Case("two requests, room for both", SEVERAL, (), (batch(reserve("a", 40)), batch(reserve("b", 60)))),
    Case("one request twice", TOKENS, (), (batch(reserve("a", 60)), batch(reserve("a", 60)))),
    Case("one id for two requests", TOKENS, (), (batch(reserve("a", 60)), batch(reserve("a", 61)))),
    Case("a request and its release", TOKENS, (), (batch(reserve("a", 60)), batch(release("a")))),
    Case("a request and its finalize", TOKENS, (), (batch(reserve("a", 60)), batch(finalize("a", 50)))),
    Case(
        "a request and its unreserved charge",
        TOKENS,
        (),
        (batch(reserve("a", 60)), batch(finalize_unreserved("a", 50))),
    ),
    Case(
        "an unreserved charge twice",
        TOKENS,
        (),
        (batch(finalize_unreserved("a", 50)), batch(finalize_unreserved("a", 50))),
    ),
    Case(
        "a charge makes room",
        TOKENS,
        (reserve("a", 60),),
        (batch(finalize("a", 10)), batch(reserve("b", 80))),
    ),
    Case("one finalize twice", TOKENS, (reserve("a", 60),), (batch(finalize("a", 50)), batch(finalize("a", 50)))),
    Case("two finalizes", TOKENS, (reserve("a", 60),), (batch(finalize("a", 50)), batch(finalize("a", 51)))),
    Case("finalize and release", SEVERAL, (reserve("a", 60),), (batch(finalize("a", 50)), batch(release("a")))),
    Case(
        "a late finalize and the sweeper",
        TOKENS,
        (reserve("a", 60),),
        (batch(finalize("a", 50)), batch(expire("a"))),
        lapsed=("a",),
    ),
    Case(
        "a late release and the sweeper",
        TOKENS,
        (reserve("a", 60),),
        (batch(release("a")), batch(expire("a"))),
        lapsed=("a",),
    ),
    Case(
        "a late renewal and the sweeper",
        TOKENS,
        (reserve("a", 60),),
        (batch(renew("a")), batch(expire("a"))),
        lapsed=("a",),
    ),
    Case("renewal and finalize", TOKENS, (reserve("a", 60),), (batch(renew("a")), batch(finalize("a", 50)))),
    Case(
        "the sweeper makes room",
        TOKENS,
        (reserve("a", 60),),
        (batch(expire("a")), batch(reserve("b", 80))),
        lapsed=("a",),
    ),
    Case(
        "two batches on the same two reservations",
        SEVERAL,
        (reserve("a", 30), reserve("b", 30)),
        (batch(finalize("a", 10), finalize("b", 10)), batch(release("b"), release("a"))),
    ),
    Case(
        "two batches in opposite order",
        SEVERAL,
        (reserve("a", 30), reserve("b", 30)),
        (
            batch(finalize("a", 10), release("b"), reserve("c", 50)),
            batch(reserve("c", 50), finalize("b", 20), finalize("a", 10)),
        ),
    ),
)

TRIPLES = (
    Case(
        "three requests, room for two",
        TOKENS,
        (),
        (batch(reserve("a", 50)), batch(reserve("b", 50)), batch(reserve("c", 50))),
    ),
    Case(
        "one request twice and its release",
        TOKENS,
        (),
        (batch(reserve("a", 60)), batch(reserve("a", 60)), batch(release("a"))),
    ),
    Case(
        "two finalizes and a release",
        TOKENS,
        (reserve("a", 60),),
        (batch(finalize("a", 50)), batch(finalize("a", 51)), batch(release("a"))),
    ),
    Case(
        "finalize, release and the sweeper",
        TOKENS,
        (reserve("a", 60),),
        (batch(finalize("a", 50)), batch(release("a")), batch(expire("a"))),
        lapsed=("a",),
    ),
    Case(
        "finalize, sweeper and whoever needs the room",
        TOKENS,
        (reserve("a", 60),),
        (batch(finalize("a", 30)), batch(expire("a")), batch(reserve("b", 60))),
        lapsed=("a",),
    ),
    Case(
        "three batches in a ring",
        SEVERAL,
        (reserve("a", 20), reserve("b", 20), reserve("c", 20)),
        (
            batch(finalize("a", 10), release("b"), reserve("d", 10)),
            batch(finalize("b", 10), release("c"), reserve("e", 10)),
            batch(finalize("c", 10), release("a"), reserve("d", 10)),
        ),
    ),
)

EDITS = (
    Case(
        "a limit is lowered",
        TOKENS,
        (reserve("a", 30),),
        (edit(limit(50)), batch(reserve("b", 30)), batch(finalize("a", 25))),
    ),
    Case(
        "a limit is added",
        TOKENS,
        (),
        (edit(limit(100), limit(1, "requests")), batch(reserve("a", 30), reserve("b", 30))),
    ),
    Case("a limit is removed", TOKENS, (reserve("a", 90),), (edit(), batch(reserve("b", 30), finalize("a", 80)))),
    Case(
        "an edit between two requests",
        TOKENS,
        (),
        (edit(limit(80)), batch(reserve("a", 50)), batch(reserve("b", 50))),
    ),
)
