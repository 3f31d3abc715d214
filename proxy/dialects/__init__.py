"""What tells the APIs apart that the proxy relays: the Responses API and Chat Completions.

The relay itself knows neither. It asks a dialect which event ends an answer and what it reports, what of an event the
caller is shown, and how an error of ours is written into a stream.
"""

from proxy.dialects.chat import CHAT
from proxy.dialects.responses import RESPONSES
from proxy.dialects.types import Dialect, Reading, StreamReader

__all__ = ["CHAT", "RESPONSES", "Dialect", "Reading", "StreamReader"]
