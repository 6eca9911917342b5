#!/bin/sh
# Starts the server of a volume. Nobody knows the superuser's password: it is random, and needed
# only because the image asks for one. Administration goes by the server's own socket.
set -eu
for found in /var/lib/postgresql/*/docker/PG_VERSION /var/lib/postgresql/data/PG_VERSION \
    /var/lib/postgresql/PG_VERSION; do
    if [ -e "$found" ] && [ "$found" != "$PGDATA/PG_VERSION" ]; then
        echo "This volume holds the data of PostgreSQL $(cat "$found"), in ${found%/PG_VERSION}, but the" \
            "image is made for $PGDATA. Nothing was changed. Set POSTGRES_IMAGE to the version of the" \
            "data; to go to a newer one: backup, remove the volume, restore (docs/operations.md)." >&2
        exit 1
    fi
done
POSTGRES_PASSWORD=$(head -c 32 /dev/urandom | base64)
export POSTGRES_PASSWORD
exec docker-entrypoint.sh "$@"
