#!/bin/sh
# backup.sh save FOLDER | backup.sh restore FOLDER: what can't be made again, by docker compose.
# The folder holds passwords and personal data: only its owner may read it.
set -eu
umask 077
action=$1
folder=$2
tar_of_secrets() {
    docker compose run --rm --no-deps -T --entrypoint tar init --directory /run/greenery "$@"
}

# of a restore that is tried again, or into a server that has its roles; all else is an error
may_be_there() {
    sed 's/^CREATE ROLE .*;$/do $do$ begin & exception when duplicate_object then null; end $do$;/'
}

save() {
    [ ! -e "$folder" ] || { echo "$folder is there already. Name a new folder: make backup TO=..." >&2; exit 1; }
    rm -rf "$folder.part"
    mkdir -p "$folder.part"
    for database in warehouse:greenery metadata:airflow; do
        docker compose exec -T "${database%:*}" pg_dumpall -U postgres --roles-only --no-role-passwords \
            >"$folder.part/${database%:*}-roles.sql"
        docker compose exec -T "${database%:*}" pg_dump -U postgres --format=custom "${database#*:}" \
            >"$folder.part/${database%:*}.dump"
    done
    tar_of_secrets --create . >"$folder.part/secrets.tar"
    mv "$folder.part" "$folder"
    echo "Saved warehouse, metadata and secrets in $folder. Keep it safe: it opens everything."
}

restore() {
    for file in warehouse.dump warehouse-roles.sql metadata.dump metadata-roles.sql secrets.tar; do
        [ -s "$folder/$file" ] || { echo "$folder is no backup: $file is missing." >&2; exit 1; }
    done
    docker compose stop api-server scheduler dag-processor triggerer housekeeping
    docker compose up --detach --wait warehouse metadata
    tar_of_secrets --extract <"$folder/secrets.tar"
    # pg_dump and pg_restore look at no schema but those they name; psql must be told
    options="--search_path=pg_catalog,pg_temp --client_min_messages=warning"
    for database in warehouse:greenery metadata:airflow; do
        may_be_there <"$folder/${database%:*}-roles.sql" |
            docker compose exec -T --env "PGOPTIONS=$options" "${database%:*}" \
                psql --no-psqlrc --set ON_ERROR_STOP=1 -qU postgres
        docker compose exec -T "${database%:*}" dropdb -U postgres --force --if-exists "${database#*:}"
        docker compose exec -T "${database%:*}" pg_restore -U postgres --create --exit-on-error \
            --dbname postgres <"$folder/${database%:*}.dump"
    done
    docker compose up --detach --wait --force-recreate
    echo "Restored $folder."
}

case $action in
save) save ;;
restore) restore ;;
*) echo "save or restore?" >&2; exit 2 ;;
esac
