"""`quotad doctor`: what an operator should know before the first request, and after the first surprise.

Reading order: `findings` (what a check says), `judgements` (from facts to findings, pure), `machine` and `daemon`
(the facts of this machine and of a running daemon), `examine` (all of it).
"""
