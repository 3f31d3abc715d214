"""What the ledger costs: contenders measured in turn in one run, each a real process, on one durable Postgres.

Reading order: `method` (how long, how many), `spec` (what one load is told and answers), `load` (the load process),
`drivers` (how each contender is called), `cluster`, `processes`, `daemons` (what is measured), `seeding` (keys and old
rows), `contenders` and `rounds` (taking turns), `cases` (what is compared with what), `report` (the table).
"""
