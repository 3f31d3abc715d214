"""`quotad usage` and `quotad refusals`: what was charged, and what was refused and why; over gRPC."""

from __future__ import annotations

from typing import Annotated

import typer

from quotad.cli.connection import with_admin
from quotad.cli.output import limit_text, print_json, print_table
from quotad.cli.records import refusal_record, rfc3339, usage_record
from quotad.cli.times import Since, Until, all_pages, parse_since
from quotad.client.types import DEFAULT_TENANT, Enforcement, RefusalCount

PAGE_SIZE = 1000

Key = Annotated[str, typer.Option(help="Only the key with this id.")]
Tenant = Annotated[str, typer.Option(help="The tenant.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def usage(
    since: Since = "24h",
    until: Until = None,
    key: Key = "",
    model: Annotated[str, typer.Option(help="Only this model.")] = "",
    metric: Annotated[str, typer.Option(help="Only this metric.")] = "",
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """List what was charged by hour, key, model and metric, the earliest hour first."""
    start = parse_since("--since", since)
    end = None if until is None else parse_since("--until", until)
    totals = with_admin(
        lambda admin: all_pages(
            lambda token: admin.get_usage(
                tenant,
                start_time=start,
                end_time=end,
                api_key_id=key,
                model=model,
                metric=metric,
                page_size=PAGE_SIZE,
                page_token=token,
            )
        )
    )
    if as_json:
        print_json([usage_record(total) for total in totals])
        return
    rows = [(rfc3339(total.hour), total.api_key_id, total.model, total.metric, f"{total.amount:,}") for total in totals]
    print_table(("HOUR", "KEY", "MODEL", "METRIC", "AMOUNT"), rows)


def refusals(
    since: Since = "24h",
    until: Until = None,
    key: Key = "",
    limit: Annotated[str, typer.Option(help="Only the limit with this id.")] = "",
    enforcement: Annotated[
        Enforcement | None, typer.Option(help="Only what was refused, or what a shadow limit would have refused.")
    ] = None,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """List which limits refused whom, how often and why, the latest minute first."""
    start = parse_since("--since", since)
    end = None if until is None else parse_since("--until", until)
    found = with_admin(
        lambda admin: all_pages(
            lambda token: admin.list_refusals(
                tenant,
                start_time=start,
                end_time=end,
                api_key_id=key,
                limit_id=limit,
                enforcement=enforcement,
                page_size=PAGE_SIZE,
                page_token=token,
            )
        )
    )
    if as_json:
        print_json([refusal_record(count) for count in found])
        return
    print_table(("MINUTE", "KEY", "LIMIT", "REFUSED", "WHY"), [_row(count) for count in found])


def _row(count: RefusalCount) -> tuple[str, ...]:
    shadow = " (shadow)" if count.enforcement is Enforcement.SHADOW else ""
    limit = f"{limit_text(count.limit)}{shadow}"
    return (rfc3339(count.minute), count.api_key_id, limit, f"{count.refused:,}", _why(count))


def _why(count: RefusalCount) -> str:
    """In the words of its first sample."""
    if not count.samples:
        return ""
    sample = count.samples[0]
    reason = "never fits" if sample.never_fits else f"blocked by {sample.blocked_by.value}"
    return (
        f"{sample.model}: {sample.requested:,} requested, {sample.used:,} used and {sample.held:,} held "
        f"of {sample.max_value:,}, {reason}"
    )
