"""The proxy, measured against its upstream asked directly, and against a peer.

Reading order: `patterns` (what an answer looks like), `upstream` (a server that costs next to nothing), `load` (the
callers), `world` (the processes of a run), `cases` (what is compared), `__main__` (the command).
"""
