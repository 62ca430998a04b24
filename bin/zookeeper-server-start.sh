#!/bin/sh
# Starts a coordination server in the foreground; with -daemon in the background, its output in logs/.
self=$(readlink -f "$0")
. "$(dirname "$self")/runtime.sh"
if [ $# -lt 1 ]; then
  echo "USAGE: $0 [-daemon] zookeeper.properties" >&2
  exit 1
fi
if [ "$1" = -daemon ]; then
  shift
  mkdir -p "${LOG_DIR:=$root/logs}"
  nohup "$node" $node_flags "$root/packages/zookeeper-server/src/main.ts" "$@" >"$LOG_DIR/zookeeper-server.out" 2>&1 </dev/null &
  exit 0
fi
exec "$node" $node_flags "$root/packages/zookeeper-server/src/main.ts" "$@"
