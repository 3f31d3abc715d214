"""The operator's service: sign-in, request logs, API keys and accounts over HTTP, and the page that shows them.

It keeps nothing of its own but the operator's password and second factor, sessions, counters of sign-in attempts and
the log of its own changes (schema `dashboard`). Keys and limits are quotad's, reached by its admin API; request logs
and accounts are the proxy's, read through `proxy.records`.

Reading order: `config` (what can be set), `errors` (every refusal), `services` (what the routes work with),
`auth.guard` (who gets past), `auth.sign_in` and `auth.second_factor` (how one gets in), `audit` (who did it), `api`
(one resource a file, `api.schema` first), `page` (the built page), `app` (all of it wired), `cli`.
"""
