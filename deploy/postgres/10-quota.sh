#!/bin/sh
# Runs once, on an empty data directory: the services' role, which owns the database and is no superuser.
set -eu

psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres \
    --set=password="$(cat "${QUOTA_PASSWORD_FILE:-/run/secrets/database_password}")" <<'SQL'
CREATE ROLE quota LOGIN PASSWORD :'password';
CREATE DATABASE quota OWNER quota;
REVOKE ALL ON DATABASE quota FROM PUBLIC;
SQL
