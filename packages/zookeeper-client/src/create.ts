import {
  type Acl,
  createMode,
  createRequest,
  createTtlRequest,
  encode,
  errorCode,
  opCode,
  openAcl,
  pathProblem,
  ZooKeeperError,
} from '@vivarium/zookeeper-protocol'

/** `ephemeral` goes with the session; `sequential` appends a number; a `container` goes when its last child has gone. */
type Mode = 'persistent' | 'ephemeral' | 'persistent-sequential' | 'ephemeral-sequential' | 'container'

/** How a znode is made. */
export interface CreateOptions {
  /** Persistent if not given. */
  mode?: Mode | undefined
  /** Who may do what with it; everyone everything if not given. */
  acl?: readonly Acl[] | undefined
  /** A persistent znode that nobody touches or fills with children for this long is removed. */
  ttlMs?: number | undefined
}

/** Operation code and body of the request that makes `path` (chroot included). */
export function creation(
  path: string,
  data: Buffer | string | null,
  options: CreateOptions,
): { op: number; body: Buffer } {
  const { mode = 'persistent', acl = openAcl, ttlMs } = options
  const isSequential = mode.endsWith('sequential')
  // A sequential name may end in a slash: the number is then all of it.
  checkPath(isSequential ? `${path}1` : path)
  const request = {
    path,
    data: typeof data === 'string' ? Buffer.from(data) : data,
    acl: [...acl],
  }
  if (ttlMs !== undefined) {
    if (!mode.startsWith('persistent')) {
      throw new ZooKeeperError(errorCode.BADARGUMENTS, path, {
        detail: `ttlMs cannot be given for mode ${mode}`,
      })
    }
    const flags = isSequential ? createMode.PERSISTENT_SEQUENTIAL_WITH_TTL : createMode.PERSISTENT_WITH_TTL
    return { op: opCode.createTTL, body: encode(createTtlRequest, { ...request, flags, ttl: BigInt(ttlMs) }) }
  }
  const op = mode === 'container' ? opCode.createContainer : opCode.create2
  return { op, body: encode(createRequest, { ...request, flags: flagsOf[mode] }) }
}

const flagsOf: Record<Mode, number> = {
  persistent: createMode.PERSISTENT,
  ephemeral: createMode.EPHEMERAL,
  'persistent-sequential': createMode.PERSISTENT_SEQUENTIAL,
  'ephemeral-sequential': createMode.EPHEMERAL_SEQUENTIAL,
  container: createMode.CONTAINER,
}

/** Throws BADARGUMENTS for what no server would take as a path. */
export function checkPath(path: string): void {
  const problem = pathProblem(path)
  if (problem !== null) throw new ZooKeeperError(errorCode.BADARGUMENTS, path, { detail: problem })
}
