#!/bin/sh
# Runs once, on an empty data directory: the services' role, which owns the database and is no superuser.
set -eu
export QUOTA_PASSWORD_FILE="${QUOTA_PASSWORD_FILE:-/run/secrets/database_password}"

psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres <<'SQL'
\set password `cat "$QUOTA_PASSWORD_FILE"`
CREATE ROLE quota_services LOGIN PASSWORD :'password';
CREATE DATABASE quota_services OWNER quota_services;
REVOKE ALL ON DATABASE quota_services FROM PUBLIC;
SQL
