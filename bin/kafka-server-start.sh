#!/bin/sh
# Starts a broker.
self=$(readlink -f "$0")
. "${self%/*}/runtime.sh"
start_server broker "server.properties [--override property=value]*" "$@"
