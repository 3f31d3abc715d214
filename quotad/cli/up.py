"""`quotad up`: flags and output; the work is in `quotad.stack`."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from quotad.stack.settings import Options
from quotad.stack.up import up as run
from servicekit.stackfile import data_dir


def up(
    data_directory: Annotated[
        Path | None,
        typer.Option("--data-dir", help="where everything is kept [env: QUOTA_DATA_DIR] [default: .data]"),
    ] = None,
    proxies: Annotated[int, typer.Option(min=1, max=64, help="how many proxies to run")] = 2,
    ready_file: Annotated[Path | None, typer.Option(help="written as JSON when everything is ready")] = None,
    port_base: Annotated[int | None, typer.Option(min=1, max=65535, help="first of all ports")] = None,
) -> None:
    """Run the whole product on this machine; one Ctrl-C stops it in order, a second one kills."""
    run(Options(data_directory or data_dir(), proxies, ready_file, port_base), _say)


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # a reader of our output that has gone must not take the stack down
        typer.echo(f"==> {text}")
