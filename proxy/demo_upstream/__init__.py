"""A built-in upstream for trying the product out and for testing it: OpenAI-compatible, quick, deterministic.

It serves while no account is configured. `run` is the command, `serving` the same inside a running loop.
"""

from proxy.demo_upstream.running import run, serving
from proxy.demo_upstream.server import DemoUpstream

__all__ = ["DemoUpstream", "run", "serving"]
