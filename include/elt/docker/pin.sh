#!/bin/sh
# pin.sh [.env]: have .env name the base images by digest, as the registry has them now. A tag can be
# moved to another image at any time, a digest can't.
set -eu
file=${1:-.env}
# it holds secrets, too
umask 077

# without tag and digest, and without what may be left out of a name: docker itself leaves it out
repository() {
    echo "$1" | sed -E 's/@.*//; s/:[^/:]*$//; s#^(index\.)?docker\.io/##; s#^library/##'
}

pin() {
    name=$1
    # what .env names now, without an older digest; the last line of a name counts
    image=$(sed -n "s/^$name=//p" "$file" 2>/dev/null | tail -n 1 | tr -d "'\"")
    image=${image%%@*}
    image=${image:-$2}
    docker pull --quiet "$image" >/dev/null
    # an image that is known under several names has a digest of each: a registry has only its own
    digest=$(docker image inspect --format '{{join .RepoDigests "\n"}}' "$image" | while read -r known; do
        [ "$(repository "$known")" != "$(repository "$image")" ] || echo "${known#*@}"
    done | head -n 1)
    [ -n "$digest" ] || { echo "$image has no digest: it was not pulled from its registry." >&2; exit 1; }
    sed "/^$name=/d" "$file" 2>/dev/null >"$file.new" || true
    echo "$name=$image@$digest" >>"$file.new"
    mv "$file.new" "$file"
    echo "$name=$image@$digest"
}

pin POSTGRES_IMAGE postgres:18
pin AIRFLOW_IMAGE apache/airflow:3.3.2-python3.11
echo "Written into $file. To use them: docker compose up --detach --wait --build"
