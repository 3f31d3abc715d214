"""How fast the dashboard's request log answers over ten million rows.

Reading order: `method` (how large), `seeding` (the rows), `questions` (what is asked), `measuring` (how long it takes).
"""
