"""`quotad tokens …` and `quotad audit-log`: with what services call quotad, and who changed what."""

from __future__ import annotations

from typing import Annotated

import typer

from quotad.administration import ServiceToken
from quotad.cli.connection import with_admin
from quotad.cli.lookup import AsJson, Tenant, all_tokens, find_token
from quotad.cli.output import print_json, print_table
from quotad.cli.records import audit_record, rfc3339, token_record
from quotad.client.admin import AdminClient
from quotad.client.types import DEFAULT_TENANT, TokenRole
from servicekit.commands import CommandFailed

app = typer.Typer(help="Service tokens: with what proxies and operators' tools call quotad.", no_args_is_help=True)

ENTRIES_MAX = 1000

TokenArgument = Annotated[str, typer.Argument(metavar="TOKEN", help="A token's id or name.")]
Tenants = Annotated[
    list[str] | None, typer.Option("--tenant", help="A tenant that the token may touch. Default: every tenant.")
]
ChargeUnreserved = Annotated[
    bool,
    typer.Option("--may-charge-unreserved", help="May charge requests that were never admitted, as after an outage."),
]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What people call the token; the audit log names it.")],
    role: Annotated[TokenRole, typer.Option(help="data: reserve, settle, read. admin: also edit.")] = TokenRole.DATA,
    tenant: Tenants = None,
    may_charge_unreserved: ChargeUnreserved = False,
    as_json: AsJson = False,
) -> None:
    """Make a service token. Its secret is printed this once."""
    created = with_admin(
        lambda admin: admin.create_token(
            name, role, tenant_ids=tenant or (), may_charge_unreserved=may_charge_unreserved
        )
    )
    if not created.secret:
        raise CommandFailed(
            f"{created.token.token_id} was made, but the answer with its secret was lost: revoke it, make another"
        )
    if as_json:
        print_json(token_record(created.token) | {"secret": created.secret})
        return
    _print_tokens([created.token])
    typer.echo(f"secret: {created.secret}  (shown this once)")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the service tokens, oldest first."""
    found = with_admin(all_tokens)
    if as_json:
        print_json([token_record(token) for token in found])
    else:
        _print_tokens(found)


@app.command()
def revoke(token: TokenArgument, as_json: AsJson = False) -> None:
    """End a service token for good, within two seconds on every daemon."""

    async def edit(admin: AdminClient) -> ServiceToken:
        return await admin.revoke_token((await find_token(admin, token)).token_id)

    revoked = with_admin(edit)
    if as_json:
        print_json(token_record(revoked))
    else:
        typer.echo(f"{revoked.name}  {revoked.token_id}  revoked")


def audit_log(
    *,
    resource_kind: Annotated[
        str, typer.Option(help="Only changes of an api_key, a group, a token or a reservation.")
    ] = "",
    resource_id: Annotated[str, typer.Option(help="Only changes of what has this id.")] = "",
    entries: Annotated[int, typer.Option(min=1, max=ENTRIES_MAX, help="How many of the newest.")] = 100,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """List who changed what, newest first."""
    page = with_admin(
        lambda admin: admin.list_audit_entries(
            tenant, resource_kind=resource_kind, resource_id=resource_id, page_size=entries
        )
    )
    if as_json:
        print_json([audit_record(entry) for entry in page.entries])
        return
    rows = [
        (
            rfc3339(entry.create_time),
            entry.action,
            entry.resource_kind,
            entry.resource_id,
            entry.author.token_name,
            entry.author.actor,
        )
        for entry in page.entries
    ]
    print_table(("TIME", "ACTION", "KIND", "ID", "TOKEN", "ACTOR"), rows)


def _print_tokens(tokens: list[ServiceToken]) -> None:
    rows = [
        (
            token.token_id,
            token.name,
            token.role.value,
            ", ".join(token.tenant_ids) or "all",
            "yes" if token.may_charge_unreserved else "no",
        )
        for token in tokens
    ]
    print_table(("ID", "NAME", "ROLE", "TENANTS", "MAY CHARGE UNRESERVED"), rows)
