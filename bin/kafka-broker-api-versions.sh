#!/bin/sh
exec "$(dirname "$(readlink -f "$0")")/vivarium" kafka-broker-api-versions "$@"
