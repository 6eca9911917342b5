#!/bin/sh
# Starts Redis with the password that init has made. It comes by a pipe: what stands in a command
# line can be read by others. Each task that was sent is on disk before the scheduler goes on.
set -eu
[ -s /run/greenery/broker_password ] || { echo "init has not made the broker's password." >&2; exit 1; }
exec docker-entrypoint.sh redis-server - <<END
requirepass $(cat /run/greenery/broker_password)
appendonly yes
appendfsync always
save ""
END
