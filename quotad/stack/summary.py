"""What the terminal says when everything is ready."""

from __future__ import annotations

from pathlib import Path

from servicekit.stackfile import NAME, StackFile

BODY = '{"model":"gpt-5.1-codex","input":"Say hello","stream":true}'


def summary(content: StackFile, data_directory: Path) -> str:
    """Where things are, and one line to paste. The demo key is the only secret in it."""
    lines = (
        "everything is ready",
        f"  proxies    {'  '.join(f'{url}/v1' for url in content['proxies'])}",
        f"  dashboard  {content['dashboard']}",
        f"  quotad     {content['quotad']} (gRPC)",
        f"  demo key   {content['demo_api_key']}",
        f"  data       {data_directory} (addresses and tokens: {NAME}, logs: logs/)",
        "",
        "  try it:",
        f"  curl -N {content['proxies'][0]}/v1/responses -H 'authorization: Bearer {content['demo_api_key']}' "
        f"-H 'content-type: application/json' -d '{BODY}'",
        "",
        "  Ctrl-C stops everything in order; a second one kills.",
    )
    return "\n".join(lines)
