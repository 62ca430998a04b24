# Sourced by the commands beside it after they set $self, their path without links. Gives $root, the clone, $node, its pinned
# runtime, $node_flags, what that is run with, and $VIVARIUM_SERVERS, where the setup made one file of each server.
root=${self%/bin/*}
node=$root/node_modules/node/bin/node
if [ ! -x "$node" ]; then
  echo "Vivarium is not installed yet. Run this first: cd $root && npm run setup" >&2
  exit 1
fi
# Of the young objects that a server makes few survive: 4 MB for them are as fast as the runtime's 16, and a cluster at rest is
# a third smaller.
node_flags='--conditions=source --max-semi-space-size=4'
# Large memory is backed by huge pages where the system leaves that to programs: a million znodes are then read for less.
GLIBC_TUNABLES=glibc.malloc.hugetlb=1${GLIBC_TUNABLES:+:$GLIBC_TUNABLES}
export GLIBC_TUNABLES
# Compiled code is kept between runs: a command starts in a third of the time.
NODE_COMPILE_CACHE=${NODE_COMPILE_CACHE:-$root/node_modules/.cache/compiled}
export NODE_COMPILE_CACHE

# If a source has changed since the setup, or there was none, sources run as they are.
VIVARIUM_SERVERS=$root/node_modules/.cache/servers
if [ -n "$(find "$root"/packages/*/src -newer "$VIVARIUM_SERVERS/.bundled-from" -print -quit 2>&1)" ]; then
  VIVARIUM_SERVERS=
fi
export VIVARIUM_SERVERS

# start_server PACKAGE USAGE [-daemon] FILE ...: in the foreground, as this very process; with -daemon in the background,
# its output in logs/.
start_server() {
  package=$1 usage=$2
  shift 2
  if [ $# -lt 1 ]; then
    echo "USAGE: $0 [-daemon] $usage" >&2
    exit 1
  fi
  main=$root/packages/$package/src/main.ts
  if [ -n "$VIVARIUM_SERVERS" ] && [ -f "$VIVARIUM_SERVERS/$package.mjs" ]; then
    main=$VIVARIUM_SERVERS/$package.mjs
  fi
  if [ "$1" = -daemon ]; then
    shift
    mkdir -p "${LOG_DIR:=$root/logs}"
    nohup "$node" $node_flags "$main" "$@" >"$LOG_DIR/$package.out" 2>&1 </dev/null &
    exit 0
  fi
  exec "$node" $node_flags "$main" "$@"
}
