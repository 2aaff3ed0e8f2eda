#!/bin/sh
# A new cluster with the superuser's password at the first start, as the image `postgres` does it; then the server.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    umask 077
    mkdir -p "$PGDATA"
    printf '%s\n' "${POSTGRES_PASSWORD:?}" >/tmp/pwfile
    eval "initdb -D '$PGDATA' --username postgres --pwfile /tmp/pwfile ${POSTGRES_INITDB_ARGS:-}"
    rm /tmp/pwfile
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >>"$PGDATA/postgresql.conf"
    echo "unix_socket_directories = '/var/run/postgresql'" >>"$PGDATA/postgresql.conf"
fi
unset POSTGRES_PASSWORD
exec "$@" -D "$PGDATA"
