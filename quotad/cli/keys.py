"""`quotad keys …`: keys and their limits, over gRPC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from quotad.cli.connection import with_admin
from quotad.cli.limits import parse_limit
from quotad.cli.output import (
    description_record,
    key_record,
    key_state,
    limit_text,
    print_json,
    print_table,
    rfc3339,
    status_row,
)
from quotad.client.admin import AdminClient
from quotad.client.types import (
    DEFAULT_TENANT,
    UNSET,
    ApiKey,
    KeyDescription,
    KeyPolicies,
    OnMissingUsage,
)
from quotad.errors import InvalidRequest, ResourceNotFound
from servicekit.commands import CommandFailed, CommandNotBegun

IDS_SHOWN_MAX = 10
"""Of keys that share a name; more would not be one line."""

app = typer.Typer(help="API keys and their limits.", no_args_is_help=True)

Key = Annotated[str, typer.Argument(metavar="KEY", help="A key's id, or its name where only one key has it.")]
Tenant = Annotated[str, typer.Option(help="The tenant of the key.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Limits = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="METRIC:WINDOW:MAX[:MODEL]",
        help="Such as total_tokens:day:100000 or requests:minute:60:gpt-5*. May be given several times.",
    ),
]
Models = Annotated[
    list[str] | None, typer.Option("--model", help="A model that the key may use, or prefix*. Default: every model.")
]
ExpireTime = Annotated[str | None, typer.Option(help="When the key ends, such as 2030-01-31T00:00:00Z.")]
MissingUsage = Annotated[OnMissingUsage | None, typer.Option(help="What to charge where the upstream reports nothing.")]
OutputTokens = Annotated[int | None, typer.Option(help="Output tokens held for a request that names no maximum.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What people call the key.")],
    limit: Limits = None,
    model: Models = None,
    expire_time: ExpireTime = None,
    on_missing_usage: MissingUsage = None,
    default_output_tokens: OutputTokens = None,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """Make a key. Its secret is printed this once."""
    limits = [parse_limit(text) for text in limit or ()]
    created = with_admin(
        lambda admin: admin.create_api_key(
            name,
            limits=limits,
            tenant_id=tenant,
            allowed_models=model or (),
            expire_time=None if expire_time is None else _time(expire_time),
            policies=_policies(KeyPolicies(), on_missing_usage, default_output_tokens),
        )
    )
    if not created.secret:
        raise CommandFailed(
            f"{created.api_key.api_key_id} was made, but the answer with its secret was lost: delete it, make another"
        )
    if as_json:
        print_json(key_record(created.api_key) | {"secret": created.secret})
        return
    _print_key(created.api_key)
    typer.echo(f"secret: {created.secret}  (shown this once)")


@app.command("list")
def list_(tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """List the keys, oldest first."""
    found = with_admin(lambda admin: _all(admin, tenant))
    if as_json:
        print_json([description_record(description) for description in found])
        return
    rows = [
        (
            item.api_key.api_key_id,
            item.api_key.name,
            key_state(item.api_key, item.server_time),
            "; ".join(limit_text(limit) for limit in item.api_key.limits) or "no limit",
        )
        for item in found
    ]
    print_table(("ID", "NAME", "STATE", "LIMITS"), rows)


@app.command()
def show(key: Key, tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """Show a key and how full its limits are."""
    description = with_admin(lambda admin: _find(admin, key, tenant))
    if as_json:
        print_json(description_record(description))
        return
    _print_key(description.api_key, key_state(description.api_key, description.server_time))
    columns = ("METRIC", "WINDOW", "MODEL", "ENFORCEMENT", "USED", "HELD", "AVAILABLE", "MAX", "RESETS")
    if description.limits:
        print_table(columns, [status_row(status) for status in description.limits])


@app.command()
def update(
    key: Key,
    *,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    limit: Limits = None,
    model: Models = None,
    expire_time: ExpireTime = None,
    on_missing_usage: MissingUsage = None,
    default_output_tokens: OutputTokens = None,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """Change what is given. `--limit` replaces all limits; a rule that stays keeps its counters.

    `--limit none` removes the limits, `--expire-time never` the end.
    """
    limits = UNSET if not limit else () if limit == ["none"] else [parse_limit(text) for text in limit]
    ends = UNSET if expire_time is None else None if expire_time == "never" else _time(expire_time)
    if not any((name, limit, model, expire_time, on_missing_usage)) and default_output_tokens is None:
        raise CommandNotBegun("nothing to change: see quotad keys update --help")

    async def edit(admin: AdminClient) -> ApiKey:
        found = (await _find(admin, key, tenant)).api_key
        is_new_policy = on_missing_usage is not None or default_output_tokens is not None
        policies = _policies(found.policies, on_missing_usage, default_output_tokens) if is_new_policy else UNSET
        return await admin.update_api_key(
            found.api_key_id,
            tenant_id=tenant,
            etag=found.etag,
            name=name or UNSET,
            limits=limits,
            allowed_models=model or UNSET,
            expire_time=ends,
            policies=policies,
        )

    _print_edited(with_admin(edit), as_json=as_json)


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
        found = (await _find(admin, key, tenant)).api_key
        return await admin.delete_api_key(found.api_key_id, tenant_id=tenant)

    _print_edited(with_admin(edit), as_json=as_json)


async def _set_disabled(admin: AdminClient, key: str, tenant: str, *, disabled: bool) -> ApiKey:
    found = (await _find(admin, key, tenant)).api_key
    return await admin.update_api_key(found.api_key_id, tenant_id=tenant, disabled=disabled)


async def _all(admin: AdminClient, tenant: str, name: str = "") -> list[KeyDescription]:
    page = await admin.list_api_keys(tenant, name)
    found = list(page.keys)
    while page.next_page_token:
        page = await admin.list_api_keys(tenant, name, page_token=page.next_page_token)
        found.extend(page.keys)
    return found


async def _find(admin: AdminClient, key: str, tenant: str) -> KeyDescription:
    """The key of this id, else the one of this name; an ambiguous name is an error that lists the ids."""
    try:
        return await admin.get_api_key(key, tenant)
    except (ResourceNotFound, InvalidRequest):  # what cannot be an id may be a name
        named = await _all(admin, tenant, name=key)
    if not named:
        raise CommandFailed(f"no key has the id or name {key!r}: see quotad keys list")
    if len(named) > 1:
        ids = ", ".join(item.api_key.api_key_id for item in named[:IDS_SHOWN_MAX])
        raise CommandFailed(f"{len(named)} keys are named {key!r}, give an id: {ids}")
    return named[0]


def _policies(base: KeyPolicies, on_missing_usage: OnMissingUsage | None, output_tokens: int | None) -> KeyPolicies:
    return KeyPolicies(
        on_missing_usage=on_missing_usage or base.on_missing_usage,
        default_output_tokens=base.default_output_tokens if output_tokens is None else output_tokens,
    )


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as exc:
        raise CommandNotBegun(f"--expire-time {text}: write a time such as 2030-01-31T00:00:00Z") from exc
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


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
