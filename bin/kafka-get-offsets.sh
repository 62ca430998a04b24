#!/bin/sh
exec "$(dirname "$(readlink -f "$0")")/vivarium" kafka-get-offsets "$@"
