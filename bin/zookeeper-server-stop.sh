#!/bin/sh
# Asks every coordination server of this user on this machine to stop in order, as Apache's script does.
pids=$(ps -u "$(id -u)" -o pid=,args= | awk '/(packages\/zookeeper-server\/src\/main\.ts|servers\/zookeeper-server\.mjs)/ && !/awk/ { print $1 }')
if [ -z "$pids" ]; then
  echo "No zookeeper server to stop"
  exit 1
fi
kill -s "${SIGNAL:-TERM}" $pids
