#!/bin/sh
# Asks every broker of this user on this machine to stop in order, as Apache's script does.
pids=$(ps -u "$(id -u)" -o pid=,args= | awk '/(packages\/broker\/src\/main\.ts|servers\/broker\.mjs)/ && !/awk/ { print $1 }')
if [ -z "$pids" ]; then
  echo "No kafka server to stop"
  exit 1
fi
kill -s "${SIGNAL:-TERM}" $pids
