# Sourced by the commands beside it after they set $self: gives $root, the clone, and $node, its pinned runtime.
root=$(cd "$(dirname "$self")/.." && pwd -P)
node=$root/node_modules/node/bin/node
if [ ! -x "$node" ]; then
  echo "Vivarium is not installed yet. Run this first: cd $root && npm run setup" >&2
  exit 1
fi
# Compiled code is kept between runs: a command starts in a third of the time.
NODE_COMPILE_CACHE=${NODE_COMPILE_CACHE:-$root/node_modules/.cache/compiled}
export NODE_COMPILE_CACHE
