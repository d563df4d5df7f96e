"""Changes of the declaration over time: numbered files, each with `upgrade(db)` and `downgrade(db)`.

`db` is a `cluster.migrate.db.Db`. `scripts/cluster migrate new -m "..." [--auto]` writes the next file. What was
applied stays as it is: `migrate status` names an applied file that has changed since.
"""
