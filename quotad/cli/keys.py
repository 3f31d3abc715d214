"""`quotad keys …`: keys and their limits, over gRPC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from quotad.cli.connection import with_admin
from quotad.cli.limits import Limits, ShadowLimits, TimeZone, changed_limits, given_limits
from quotad.cli.lookup import AsJson, Tenant, all_keys, find_group, find_key
from quotad.cli.output import key_state, limit_text, limits_text, print_json, print_statuses, print_table
from quotad.cli.policies import MissingUsage, OutputTokens, PolicyOptions, QuotadUnavailable, UnknownPrice
from quotad.cli.records import description_record, key_record, rfc3339
from quotad.client.admin import AdminClient
from quotad.client.types import DEFAULT_TENANT, UNSET, ApiKey, CreatedKey, KeyPolicies, Unset
from servicekit.commands import CommandFailed, CommandNotBegun

app = typer.Typer(help="API keys and their limits.", no_args_is_help=True)

NONE = "none"

Key = Annotated[str, typer.Argument(metavar="KEY", help="A key's id, or its name where only one key has it.")]
GroupOption = Annotated[
    str | None,
    typer.Option("--group", metavar="GROUP", help="The group whose limits bind the key too, by its id or name."),
]
Models = Annotated[
    list[str] | None, typer.Option("--model", help="A model that the key may use, or prefix*. Default: every model.")
]
ExpireTime = Annotated[str | None, typer.Option(help="When the key ends, such as 2030-01-31T00:00:00Z.")]
GraceSeconds = Annotated[int, typer.Option(min=0, help="How long the present secret still works.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What people call the key.")],
    *,
    limit: Limits = None,
    shadow_limit: ShadowLimits = None,
    time_zone: TimeZone = "UTC",
    group: GroupOption = None,
    model: Models = None,
    expire_time: ExpireTime = None,
    on_missing_usage: MissingUsage = None,
    default_output_tokens: OutputTokens = None,
    on_quotad_unavailable: QuotadUnavailable = None,
    on_unknown_price: UnknownPrice = None,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """Make a key. Its secret is printed this once."""
    limits = given_limits(limit, shadow_limit, time_zone)
    options = PolicyOptions(on_missing_usage, default_output_tokens, on_quotad_unavailable, on_unknown_price)
    policies = options.applied_to(KeyPolicies())
    ends = None if expire_time is None else _time(expire_time)

    async def make(admin: AdminClient) -> CreatedKey:
        group_id = await _group_id(admin, group, tenant)
        return await admin.create_api_key(
            name,
            limits=limits,
            tenant_id=tenant,
            allowed_models=model or (),
            expire_time=ends,
            policies=policies,
            group_id="" if isinstance(group_id, Unset) else group_id,
        )

    _print_created(with_admin(make), "delete it, make another", as_json=as_json)


@app.command("list")
def list_(tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """List the keys, oldest first."""
    found = with_admin(lambda admin: all_keys(admin, tenant))
    if as_json:
        print_json([description_record(description) for description in found])
        return
    rows = [
        (
            item.api_key.api_key_id,
            item.api_key.name,
            key_state(item.api_key, item.server_time),
            "/".join(group.name for group in item.group_path),
            limits_text(item.api_key.limits),
        )
        for item in found
    ]
    print_table(("ID", "NAME", "STATE", "GROUP", "LIMITS"), rows)


@app.command()
def show(key: Key, tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """Show a key and how full the limits are that bind it: its own, then its groups'."""
    description = with_admin(lambda admin: find_key(admin, key, tenant))
    if as_json:
        print_json(description_record(description))
        return
    _print_key(description.api_key, key_state(description.api_key, description.server_time))
    if description.group_path:
        typer.echo(f"in the group {'/'.join(group.name for group in description.group_path)}")
    print_statuses(description.limits)


@app.command()
def update(
    key: Key,
    *,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    limit: Limits = None,
    shadow_limit: ShadowLimits = None,
    time_zone: TimeZone = "UTC",
    group: GroupOption = None,
    model: Models = None,
    expire_time: ExpireTime = None,
    on_missing_usage: MissingUsage = None,
    default_output_tokens: OutputTokens = None,
    on_quotad_unavailable: QuotadUnavailable = None,
    on_unknown_price: UnknownPrice = None,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """Change what is given. `--limit` and `--shadow-limit` replace all limits; a rule that stays keeps its counters.

    `--limit none` removes the limits, `--expire-time never` the end, `--group none` takes the key out of its group.
    """
    limits = changed_limits(limit, shadow_limit, time_zone)
    options = PolicyOptions(on_missing_usage, default_output_tokens, on_quotad_unavailable, on_unknown_price)
    ends = UNSET if expire_time is None else None if expire_time == "never" else _time(expire_time)
    if not any((name, model, expire_time, group, options)) and limits is UNSET:
        raise CommandNotBegun("nothing to change: see quotad keys update --help")
    options.applied_to(KeyPolicies())  # what cannot be read is told before anything is asked of the daemon

    async def edit(admin: AdminClient) -> ApiKey:
        found = (await find_key(admin, key, tenant)).api_key
        return await admin.update_api_key(
            found.api_key_id,
            tenant_id=tenant,
            etag=found.etag,
            name=name or UNSET,
            limits=limits,
            allowed_models=model or UNSET,
            expire_time=ends,
            policies=options.applied_to(found.policies) if options else UNSET,
            group_id=await _group_id(admin, group, tenant),
        )

    _print_edited(with_admin(edit), as_json=as_json)


@app.command()
def rotate(key: Key, grace_seconds: GraceSeconds = 0, tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """Give a key another secret, printed this once. The present one works for the grace, and then only to settle."""

    async def edit(admin: AdminClient) -> CreatedKey:
        found = (await find_key(admin, key, tenant)).api_key
        grace = timedelta(seconds=grace_seconds)
        return await admin.rotate_api_key(found.api_key_id, grace=grace, tenant_id=tenant)

    _print_created(with_admin(edit), "rotate it again", as_json=as_json)


@app.command()
def disable(key: Key, tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """Refuse new requests of a key until it is enabled again; open ones are still charged."""
    _print_edited(with_admin(lambda admin: _set_disabled(admin, key, tenant, disabled=True)), as_json=as_json)


@app.command()
def enable(key: Key, tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """Let a disabled key work again."""
    _print_edited(with_admin(lambda admin: _set_disabled(admin, key, tenant, disabled=False)), as_json=as_json)


@app.command()
def delete(key: Key, tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """Delete a key for good; open requests are still charged."""

    async def edit(admin: AdminClient) -> ApiKey:
        found = (await find_key(admin, key, tenant)).api_key
        return await admin.delete_api_key(found.api_key_id, tenant_id=tenant)

    _print_edited(with_admin(edit), as_json=as_json)


async def _set_disabled(admin: AdminClient, key: str, tenant: str, *, disabled: bool) -> ApiKey:
    found = (await find_key(admin, key, tenant)).api_key
    return await admin.update_api_key(found.api_key_id, tenant_id=tenant, disabled=disabled)


async def _group_id(admin: AdminClient, group: str | None, tenant: str) -> str | Unset:
    if group is None:
        return UNSET
    return "" if group == NONE else (await find_group(admin, group, tenant)).group.group_id


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as exc:
        raise CommandNotBegun(f"--expire-time {text}: write a time such as 2030-01-31T00:00:00Z") from exc
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _print_created(created: CreatedKey, remedy: str, *, as_json: bool) -> None:
    if not created.secret:
        raise CommandFailed(
            f"{created.api_key.api_key_id} was edited, but the answer with its secret was lost: {remedy}"
        )
    if as_json:
        print_json(key_record(created.api_key) | {"secret": created.secret})
        return
    _print_key(created.api_key)
    typer.echo(f"secret: {created.secret}  (shown this once)")


def _print_edited(key: ApiKey, *, as_json: bool) -> None:
    if as_json:
        print_json(key_record(key))
    else:
        _print_key(key)


def _print_key(key: ApiKey, state: str | None = None) -> None:
    shown = state or key_state(key, key.update_time)
    ends = "" if key.expire_time is None else f", until {rfc3339(key.expire_time)}"
    models = "" if not key.allowed_models else f", models {', '.join(key.allowed_models)}"
    typer.echo(f"{key.name}  {key.api_key_id}  {shown}{ends}{models}")
    for limit in key.limits if state is None else ():
        typer.echo(f"  {limit_text(limit)}")
