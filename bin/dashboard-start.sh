#!/bin/sh
# Starts the dashboard of a cluster.
self=$(readlink -f "$0")
. "${self%/*}/runtime.sh"
start_server dashboard "dashboard.json" "$@"
