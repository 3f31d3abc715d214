#!/usr/bin/env python3
"""Stands in for `curl` on machines without it: posts `-d`, with each `-H`; `-i` shows the head, `-N` streams."""

from __future__ import annotations

import argparse
import sys
import urllib.error
import urllib.request
from typing import IO

TIMEOUT_SECONDS = 30


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-N", action="store_true")
    parser.add_argument("-i", action="store_true", dest="shows_head")
    parser.add_argument("-H", action="append", default=[], dest="headers")
    parser.add_argument("-d", dest="data")
    parser.add_argument("url")
    given = parser.parse_args()
    headers = dict(header.split(": ", 1) for header in given.headers)
    request = urllib.request.Request(given.url, given.data.encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            _show(answer.status, answer.headers.items(), answer, shows_head=given.shows_head)
    except urllib.error.HTTPError as refusal:
        _show(refusal.code, refusal.headers.items(), refusal, shows_head=given.shows_head)


def _show(status: int, headers: list[tuple[str, str]], body: IO[bytes], *, shows_head: bool) -> None:
    if shows_head:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        sys.stdout.write(f"HTTP/1.1 {status}\r\n{lines}\r\n")
    for line in body:
        sys.stdout.write(line.decode())
        sys.stdout.flush()


if __name__ == "__main__":
    main()
