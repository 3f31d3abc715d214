"""What operators read and do over the wire: limits, reservations, usage, refusals, the check of conservation."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quotad import errors as e
from quotad.client.admin import AdminClient
from quotad.client.connection import Connection
from quotad.client.types import Enforcement, Limit, LimitOrder, RefusalCount, ReservationState, Window, WindowKind
from tests.support.daemons import DATA_TOKEN, Daemon, limit, quotad
from tests.support.waiting import eventually


async def hold(daemon: Daemon, secret: str, *ids: str, tokens: int = 10) -> None:
    async with daemon.data() as client:
        for reservation_id in ids:
            await client.reserve(reservation_id, api_key=secret, model="m", amounts={"total_tokens": tokens})


async def test_limits_are_listed_the_fullest_first_page_by_page(daemon: Daemon) -> None:
    full = await daemon.create_key(limit(max_value=20), limit("requests", 1000), name="full")
    await daemon.create_key(limit(max_value=1000), name="empty")
    await hold(daemon, full.secret, "one", "two")
    async with daemon.admin() as admin:
        first = await admin.list_limits(page_size=2)
        rest = await admin.list_limits(page_size=2, page_token=first.next_page_token)
        mine = await admin.list_limits(api_key_id=full.api_key.api_key_id)
    found = [(status.owner.name, status.limit.metric, status.used + status.held) for status in first.items]
    assert found == [("full", "total_tokens", 20), ("full", "requests", 2)]
    assert [(status.owner.name, status.held) for status in rest.items] == [("empty", 0)]
    assert rest.items[0].reset_time is not None
    assert rest.next_page_token == ""
    assert len(mine.items) == 2


async def test_limits_are_listed_by_their_next_reset(daemon: Daemon) -> None:
    limits = (
        Limit("requests", Window(WindowKind.LIFETIME), 100),
        Limit("total_tokens", Window(WindowKind.FIXED, 10 * 366 * 86_400), 1000),
        Limit("total_tokens", Window(WindowKind.HOUR), 1000),
    )
    key = await daemon.create_key(*limits)
    await hold(daemon, key.secret, "one")
    async with daemon.admin() as admin:
        page = await admin.list_limits(order=LimitOrder.RESET)
    kinds = [status.limit.window.kind for status in page.items]
    assert kinds == [WindowKind.HOUR, WindowKind.FIXED, WindowKind.LIFETIME]


async def test_open_reservations_are_listed_oldest_first(daemon: Daemon) -> None:
    key, other = await daemon.create_key(name="a"), await daemon.create_key(name="b")
    await hold(daemon, key.secret, "one", "two", "three")
    await hold(daemon, other.secret, "four")
    async with daemon.admin() as admin:
        first = await admin.list_reservations(page_size=2)
        rest = await admin.list_reservations(page_size=2, page_token=first.next_page_token)
        others = await admin.list_reservations(api_key_id=other.api_key.api_key_id)
        old = await admin.list_reservations(age_min_seconds=3600)
    assert [found.reservation_id for found in (*first.reservations, *rest.reservations)] == [
        "one",
        "two",
        "three",
        "four",
    ]
    assert [found.reservation_id for found in others.reservations] == ["four"]
    assert (rest.next_page_token, old.reservations) == ("", ())
    assert first.server_time - first.reservations[0].create_time < timedelta(minutes=1)


async def test_settled_reservations_are_listed_by_their_state(daemon: Daemon) -> None:
    key = await daemon.create_key()
    await hold(daemon, key.secret, *"abcdef")
    async with daemon.data() as client, daemon.admin() as admin:
        for name in "bacd":
            await client.finalize(name, amounts={"total_tokens": 1})
        await client.release("e")
        await client.release("never")
        found, token = [], ""
        for _ in range(2):
            page = await admin.list_reservations(state=ReservationState.FINALIZED, page_size=2, page_token=token)
            token = page.next_page_token
            found += [reservation.reservation_id for reservation in page.reservations]
        released = await admin.list_reservations(state=ReservationState.RELEASED)
    assert (found, token) == (["b", "a", "c", "d"], "")
    assert [reservation.reservation_id for reservation in released.reservations] == ["e", "never"]


async def test_a_page_looks_at_a_slice_and_the_next_one_goes_on(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quotad.store.reservations.SLICE_ROWS", 2)
    key = await daemon.create_key()
    await hold(daemon, key.secret, *"abcde")
    async with daemon.data() as client, daemon.admin() as admin:
        for name in "abcd":
            await client.release(name)
        await client.finalize("e", amounts={})
        sizes, token = [], ""
        for _ in range(3):
            page = await admin.list_reservations(state=ReservationState.FINALIZED, page_token=token)
            token = page.next_page_token
            sizes.append(len(page.reservations))
    assert (sizes, token) == ([0, 0, 1], "")


async def test_a_lapsed_reservation_is_listed_as_expired_swept_or_not(daemon: Daemon) -> None:
    key = await daemon.create_key()
    await hold(daemon, key.secret, "first", "second", "open")
    for name in ("first", "second"):
        await daemon.execute(
            "UPDATE quotad.reservations SET expire_time = clock_timestamp() - interval '1 s'"
            f" WHERE reservation_id = '{name}'"
        )
    async with daemon.admin() as admin:
        expired = await admin.list_reservations(state=ReservationState.EXPIRED)
        still_open = await admin.list_reservations()
    assert {found.reservation_id for found in expired.reservations} == {"first", "second"}
    assert {found.state for found in expired.reservations} == {ReservationState.EXPIRED}
    assert [found.reservation_id for found in still_open.reservations] == ["open"]


async def test_a_forced_release_gives_the_hold_back_and_late_usage_is_charged(daemon: Daemon) -> None:
    key = await daemon.create_key(limit(max_value=100))
    await hold(daemon, key.secret, "stuck", tokens=80)
    async with daemon.admin() as admin, daemon.data() as client:
        ended = await admin.force_release("stuck", reason="its proxy is gone")
        again = await admin.force_release("stuck", reason="its proxy is gone")
        assert (ended.changed, again.changed) == (True, False)
        assert ended.reservation.state is ReservationState.EXPIRED
        assert ended.reservation.forced_reason == "its proxy is gone"
        assert again.reservation == ended.reservation
        await hold(daemon, key.secret, "next", tokens=90)
        with pytest.raises(e.ReservationNotOpen):
            await hold(daemon, key.secret, "stuck", tokens=80)
        settlement = await client.finalize("stuck", amounts={"total_tokens": 70})
        assert settlement.reservation.late
        assert settlement.reservation.forced_reason == "its proxy is gone"
        after = await admin.force_release("stuck", reason="too late")
        assert (after.changed, after.reservation.state) == (False, ReservationState.FINALIZED)
        described = await client.describe_key(api_key=key.secret)
    assert [(status.used, status.held) for status in described.limits] == [(70, 90)]


async def test_a_forced_release_needs_a_reason_and_a_reservation(daemon: Daemon) -> None:
    await daemon.create_key()
    async with daemon.admin() as admin:
        for reason in ("", " ", "x" * 257):
            with pytest.raises(e.InvalidRequest):
                await admin.force_release("any", reason=reason)
        for tenant in ("default", "nobody"):
            with pytest.raises(e.ReservationNotFound):
                await admin.force_release("never", reason="test", tenant_id=tenant)


async def test_usage_is_read_by_hour_key_model_and_metric(daemon: Daemon) -> None:
    key = await daemon.create_key()
    await hold(daemon, key.secret, "one", "two")
    async with daemon.admin() as admin, daemon.data() as client:
        await client.finalize("one", amounts={"total_tokens": 5})
        await client.finalize("two", amounts={"total_tokens": 7})
        page = await admin.get_usage(metric="total_tokens", model="m", api_key_id=key.api_key.api_key_id)
        assert (await admin.get_usage(model="other")).items == ()
        yesterday = page.items[0].hour - timedelta(days=1)
        assert (await admin.get_usage(start_time=yesterday, end_time=yesterday)).items == ()
        with pytest.raises(e.InvalidRequest):
            await admin.get_usage(start_time=page.items[0].hour, end_time=yesterday)
    assert [(total.model, total.amount) for total in page.items] == [("m", 12)]


async def test_a_refusal_is_listed_within_a_second(daemon: Daemon) -> None:
    """B7: why a 429 happened."""
    key = await daemon.create_key(limit(max_value=100))
    await hold(daemon, key.secret, "one", tokens=60)
    for _ in range(3):
        with pytest.raises(e.QuotaExceeded):
            await hold(daemon, key.secret, "two", tokens=60)

    async with daemon.admin() as admin:

        async def all_listed() -> tuple[RefusalCount, ...]:
            found = (await admin.list_refusals(api_key_id=key.api_key.api_key_id)).items
            return found if sum(count.refused for count in found) == 3 else ()

        counts = await eventually(all_listed)
        assert (await admin.list_refusals(enforcement=Enforcement.SHADOW)).items == ()
    sample = counts[-1].samples[0]
    assert (sample.requested, sample.held, sample.max_value) == (60, 60, 100)
    assert counts[0].limit.limit_id == key.api_key.limits[0].limit_id


async def test_refusals_are_written_when_the_daemon_stops(daemon: Daemon) -> None:
    key = await daemon.create_key(limit(max_value=1))
    with pytest.raises(e.RequestExceedsLimit):
        await hold(daemon, key.secret, "one", tokens=60)
    await daemon.stop()
    await daemon.execute("DO $$ BEGIN ASSERT (SELECT sum(refused) FROM quotad.refusals) = 1; END $$")


async def test_the_check_of_conservation_answers_what_differs(daemon: Daemon) -> None:
    """B10: conservation can be proved at any time."""
    key = await daemon.create_key()
    await hold(daemon, key.secret, "one")
    async with daemon.admin() as admin:
        assert await admin.audit() == ()
        await daemon.execute("UPDATE quotad.windows SET used = used + 3")
        (difference,) = await admin.audit("default")
        assert await admin.audit("another") == ()
        await daemon.execute("UPDATE quotad.windows SET used = used - 3")
    assert (difference.used, difference.charged_to_reservations) == (3, 0)
    assert difference.limit_id == key.api_key.limits[0].limit_id


async def test_metrics_tell_of_refusals_and_of_what_is_kept(daemon: Daemon) -> None:
    key = await daemon.create_key(limit(max_value=1))
    with pytest.raises(e.RequestExceedsLimit):
        await hold(daemon, key.secret, "one", tokens=60)

    async def told() -> bool:
        text = await daemon.metrics()
        refused = 'quotad_refusals_total{enforcement="enforce",metric="total_tokens",window="day"}' in text
        return refused and "quotad_roll_up_lag_seconds 0.0" in text and "quotad_reservations_purged_total" in text

    await eventually(told)


async def test_conservation_is_checked_again_and_again(database_url: str) -> None:
    async with quotad(database_url, audit_pause_seconds=0.05) as daemon:
        key = await daemon.create_key()
        await hold(daemon, key.secret, "one")
        await daemon.execute("UPDATE quotad.windows SET used = used + 3")

        async def told(violations: str) -> bool:
            return f"quotad_conservation_violations {violations}" in await daemon.metrics()

        await eventually(lambda: told("1.0"))
        await daemon.execute("UPDATE quotad.windows SET used = used - 3")
        await eventually(lambda: told("0.0"))


async def test_a_foreign_page_token_is_refused(daemon: Daemon) -> None:
    async with daemon.admin() as admin:
        for call in (admin.list_limits, admin.list_reservations, admin.get_usage, admin.list_refusals):
            for token in ("x", "WzFd", "WyJhIiwgImIiXQ=="):
                with pytest.raises(e.InvalidRequest):
                    await call(page_token=token)


async def test_data_tokens_may_not_read_what_operators_read(daemon: Daemon) -> None:
    async with Connection(daemon.address, DATA_TOKEN) as connection:
        admin = AdminClient(connection, "tests")
        for call in (admin.list_limits, admin.list_reservations, admin.get_usage, admin.list_refusals, admin.audit):
            with pytest.raises(e.CallerNotAllowed):
                await call()
