"""`quotad reservations …`: who holds what, and for how long; over gRPC."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import typer

from quotad.cli.connection import with_admin, with_data
from quotad.cli.output import print_json, print_table
from quotad.cli.records import reservation_record, rfc3339
from quotad.cli.times import parse_span
from quotad.client.admin import AdminClient
from quotad.client.types import DEFAULT_TENANT, Reservation, ReservationState, Scope

LISTED = 100

app = typer.Typer(help="Reservations: open holds, and what became of others.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="RESERVATION", help="The reservation's id.")]
Tenant = Annotated[str, typer.Option(help="The tenant of the reservation.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(
    state: Annotated[ReservationState, typer.Option(help="Only those in this state.")] = ReservationState.RESERVED,
    key: Annotated[str, typer.Option(help="Only those of the key with this id.")] = "",
    age: Annotated[str, typer.Option(help="Only those made at least this long ago: 90s, 15m, 24h, 7d.")] = "0s",
    count: Annotated[int, typer.Option(min=1, max=100_000, help="At most this many.")] = LISTED,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """List reservations, the oldest first: those that hold room now, unless a state is given."""
    seconds = parse_span("--age", age).total_seconds()

    async def read(admin: AdminClient) -> tuple[list[Reservation], datetime]:
        found: list[Reservation] = []
        token = ""
        while True:
            page = await admin.list_reservations(
                tenant, state=state, api_key_id=key, age_min_seconds=seconds, page_token=token
            )
            found.extend(page.reservations)
            token = page.next_page_token
            if not token or len(found) >= count:
                return found[:count], page.server_time

    found, now = with_admin(read)
    if as_json:
        print_json([reservation_record(reservation) for reservation in found])
        return
    print_table(("ID", "KEY", "MODEL", "STATE", "AGE", "AMOUNTS", "ENDS"), [_row(item, now) for item in found])


@app.command()
def show(reservation: Id, tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """Show one reservation with all that it holds."""
    found = with_data(lambda data: data.get_reservation(reservation, scope=Scope(tenant_id=tenant)))
    _print(found, as_json=as_json)


@app.command()
def release(
    reservation: Id,
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """Give an open reservation's hold back. What its request used and reports later is still charged."""
    ended = with_admin(lambda admin: admin.force_release(reservation, reason=reason, tenant_id=tenant))
    if as_json:
        print_json(reservation_record(ended.reservation) | {"changed": ended.changed})
        return
    if not ended.changed:
        typer.echo(f"nothing to give back: it is {ended.reservation.state.value}")
    _print(ended.reservation, as_json=False)


def _row(found: Reservation, now: datetime) -> tuple[str, ...]:
    ended = found.settle_time or found.expire_time
    return (
        found.reservation_id,
        found.api_key_id or "-",
        found.model or "-",
        found.state.value,
        _age(max(now - found.create_time, timedelta())),
        _amounts(found),
        rfc3339(ended),
    )


def _age(age: timedelta) -> str:
    return str(timedelta(seconds=int(age.total_seconds())))


def _amounts(found: Reservation) -> str:
    shown = found.actual if found.state is ReservationState.FINALIZED else found.reserved
    return ", ".join(f"{metric} {amount:,}" for metric, amount in shown.items() if amount) or "-"


def _print(found: Reservation, *, as_json: bool) -> None:
    if as_json:
        print_json(reservation_record(found))
        return
    forced = f", released by force: {found.forced_reason}" if found.forced_reason else ""
    late = ", late" if found.late else ""
    typer.echo(f"{found.reservation_id}  {found.state.value}{late}{forced}")
    typer.echo(f"key {found.api_key_id or '-'}, model {found.model or '-'}, made {rfc3339(found.create_time)}")
    if found.settle_time is None:
        typer.echo(f"lease until {rfc3339(found.expire_time)}")
    else:
        typer.echo(f"settled {rfc3339(found.settle_time)}")
    rows = [
        (hold.metric, rfc3339(hold.window_start), f"{hold.held:,}", f"{hold.charged:,}", f"{hold.over_by:,}")
        for hold in found.holds
    ]
    if rows:
        print_table(("METRIC", "WINDOW", "HELD", "CHARGED", "OVER"), rows)
