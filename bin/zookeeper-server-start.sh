#!/bin/sh
# Starts a coordination server.
self=$(readlink -f "$0")
. "${self%/*}/runtime.sh"
start_server zookeeper-server "zoo.cfg" "$@"
