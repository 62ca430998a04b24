#!/bin/sh
# Starts a monitor: an ensemble's logs and metrics into topics, and alerts over them.
self=$(readlink -f "$0")
. "${self%/*}/runtime.sh"
start_server monitor "monitor.json" "$@"
