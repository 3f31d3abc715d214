"""The floor that the three services stand on: settings, logs, listeners, database, migrations. No product rules."""
