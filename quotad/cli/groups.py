"""`quotad groups …`: groups of keys and their limits, over gRPC."""

from __future__ import annotations

from typing import Annotated

import typer

from quotad.administration import Group
from quotad.cli.connection import with_admin
from quotad.cli.limits import Limits, ShadowLimits, TimeZone, changed_limits, given_limits
from quotad.cli.lookup import AsJson, Tenant, all_groups, find_group
from quotad.cli.output import limit_text, limits_text, print_json, print_statuses, print_table
from quotad.cli.records import group_description_record, group_record
from quotad.client.admin import AdminClient
from quotad.client.types import DEFAULT_TENANT, UNSET, Unset
from servicekit.commands import CommandNotBegun

app = typer.Typer(help="Groups of keys: their limits bind all keys below them together.", no_args_is_help=True)

NONE = "none"

GroupArgument = Annotated[
    str, typer.Argument(metavar="GROUP", help="A group's id, or its name where only one group has it.")
]
Parent = Annotated[str | None, typer.Option("--parent", metavar="GROUP", help="The group above it, by its id or name.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What people call the group.")],
    *,
    parent: Parent = None,
    limit: Limits = None,
    shadow_limit: ShadowLimits = None,
    time_zone: TimeZone = "UTC",
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """Make a group, at the root or below another one; a tree has at most 4 levels."""
    limits = given_limits(limit, shadow_limit, time_zone)

    async def make(admin: AdminClient) -> Group:
        parent_id = await _parent_id(admin, parent, tenant)
        return await admin.create_group(
            name,
            parent_group_id="" if isinstance(parent_id, Unset) else parent_id,
            limits=limits,
            tenant_id=tenant,
        )

    _print_edited(with_admin(make), as_json=as_json)


@app.command("list")
def list_(tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """List the groups, oldest first."""
    found = with_admin(lambda admin: all_groups(admin, tenant))
    if as_json:
        print_json([group_description_record(description) for description in found])
        return
    names = {item.group.group_id: item.group.name for item in found}
    rows = [
        (
            item.group.group_id,
            item.group.name,
            names.get(item.group.parent_group_id, ""),
            limits_text(item.group.limits),
        )
        for item in found
    ]
    print_table(("ID", "NAME", "PARENT", "LIMITS"), rows)


@app.command()
def show(group: GroupArgument, tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """Show a group and how full its own limits are."""
    description = with_admin(lambda admin: find_group(admin, group, tenant))
    if as_json:
        print_json(group_description_record(description))
        return
    _print_group(description.group, with_limits=False)
    print_statuses(description.limits)


@app.command()
def update(
    group: GroupArgument,
    *,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    parent: Parent = None,
    limit: Limits = None,
    shadow_limit: ShadowLimits = None,
    time_zone: TimeZone = "UTC",
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """Change what is given. `--limit` and `--shadow-limit` replace all limits; a rule that stays keeps its counters.

    `--parent` moves the group with all below it, `--parent none` to the root; `--limit none` removes the limits.
    """
    limits = changed_limits(limit, shadow_limit, time_zone)
    if not any((name, parent)) and limits is UNSET:
        raise CommandNotBegun("nothing to change: see quotad groups update --help")

    async def edit(admin: AdminClient) -> Group:
        found = (await find_group(admin, group, tenant)).group
        return await admin.update_group(
            found.group_id,
            tenant_id=tenant,
            etag=found.etag,
            name=name or UNSET,
            parent_group_id=await _parent_id(admin, parent, tenant),
            limits=limits,
        )

    _print_edited(with_admin(edit), as_json=as_json)


@app.command()
def delete(group: GroupArgument, tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """Delete a group that no key and no group is in."""

    async def edit(admin: AdminClient) -> Group:
        found = (await find_group(admin, group, tenant)).group
        return await admin.delete_group(found.group_id, tenant_id=tenant)

    _print_edited(with_admin(edit), as_json=as_json)


async def _parent_id(admin: AdminClient, parent: str | None, tenant: str) -> str | Unset:
    if parent is None:
        return UNSET
    return "" if parent == NONE else (await find_group(admin, parent, tenant)).group.group_id


def _print_edited(group: Group, *, as_json: bool) -> None:
    if as_json:
        print_json(group_record(group))
    else:
        _print_group(group)


def _print_group(group: Group, *, with_limits: bool = True) -> None:
    state = "" if group.delete_time is None else "  deleted"
    below = f"  below {group.parent_group_id}" if group.parent_group_id else ""
    typer.echo(f"{group.name}  {group.group_id}{below}{state}")
    for limit in group.limits if with_limits else ():
        typer.echo(f"  {limit_text(limit)}")
