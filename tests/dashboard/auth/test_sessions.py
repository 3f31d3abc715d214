"""The list of sessions, and ending them."""

from __future__ import annotations

from tests.dashboard.world import Dashboard, code_of


async def test_sessions_are_listed_latest_first_with_where_they_began(dashboard: Dashboard) -> None:
    async with dashboard.signed_in(), dashboard.client(**{"user-agent": "Browser/1 " + "x" * 500}) as client:
        async with dashboard.signed_in() as operator:
            operator.headers["user-agent"] = "Browser/2"
            await client.post("/api/auth/login", json={"password": "wrong"})
            found = (await operator.get("/api/auth/sessions")).json()["sessions"]
    assert [one["isCurrent"] for one in found] == [True, False]
    assert {one["address"] for one in found} == {"127.0.0.1"}
    assert all(one["userAgent"].startswith("python-httpx2") for one in found)
    assert all(one["createTime"] <= one["seenTime"] < one["expireTime"] for one in found)
    assert not any(one["totpVerified"] for one in found)


async def test_sessions_that_have_ended_are_not_listed(dashboard: Dashboard) -> None:
    async with dashboard.signed_in(), dashboard.signed_in() as operator:
        await dashboard.execute(
            "UPDATE dashboard.sessions SET seen_time = now() - interval '1 day'"
            " WHERE create_time = (SELECT min(create_time) FROM dashboard.sessions)"
        )
        assert len((await operator.get("/api/auth/sessions")).json()["sessions"]) == 1


async def test_one_session_can_be_ended(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator, dashboard.signed_in() as lost, dashboard.signed_in() as kept:
        found = (await lost.get("/api/auth/sessions")).json()["sessions"]
        [session_id] = [one["sessionId"] for one in found if one["isCurrent"]]
        assert (await operator.delete(f"/api/auth/sessions/{session_id}")).status_code == 204
        assert code_of(await lost.get("/api/accounts")) == (401, "not_signed_in")
        assert (await kept.get("/api/accounts")).status_code == 200
        again = await operator.delete(f"/api/auth/sessions/{session_id}")
        assert code_of(again) == (404, "resource_not_found")


async def test_a_part_of_an_id_or_a_pattern_ends_nothing(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        for session_id in ("%25", "_" * 12, "0", "x" * 256):
            answer = await operator.delete(f"/api/auth/sessions/{session_id}")
            assert code_of(answer) == (404, "resource_not_found")
        assert (await operator.get("/api/accounts")).status_code == 200


async def test_all_others_can_be_ended_at_once(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator, dashboard.signed_in() as one, dashboard.signed_in() as other:
        assert (await operator.post("/api/auth/sessions/revoke-others")).json() == {"ended": 2}
        assert (await operator.post("/api/auth/sessions/revoke-others")).json() == {"ended": 0}
        for ended in (one, other):
            assert code_of(await ended.get("/api/accounts")) == (401, "not_signed_in")
        assert (await operator.get("/api/accounts")).status_code == 200


async def test_a_changed_password_leaves_the_end_of_the_session_where_it_was(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        [before] = (await operator.get("/api/auth/sessions")).json()["sessions"]
        body = {"currentPassword": "correct horse battery", "newPassword": "another password"}
        assert (await operator.post("/api/auth/password", json=body)).status_code == 200
        [after] = (await operator.get("/api/auth/sessions")).json()["sessions"]
        assert after["expireTime"] == before["expireTime"]
        assert after["sessionId"] != before["sessionId"]
