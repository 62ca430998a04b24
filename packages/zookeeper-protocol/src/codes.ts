/** What a request asks for. Source: ZooDefs.OpCode. */
export const opCode = {
  notification: 0,
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getACL: 6,
  setACL: 7,
  getChildren: 8,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  reconfig: 16,
  checkWatches: 17,
  removeWatches: 18,
  createContainer: 19,
  deleteContainer: 20,
  createTTL: 21,
  multiRead: 22,
  auth: 100,
  setWatches: 101,
  sasl: 102,
  getEphemerals: 103,
  getAllChildrenNumber: 104,
  setWatches2: 105,
  addWatch: 106,
  whoAmI: 107,
  createSession: -10,
  closeSession: -11,
  error: -1,
} as const

/** What Apache's servers do not know: answered with UNIMPLEMENTED unless `extensions.enabled` is set. */
export const extensionOpCode = {
  /** An opcode that reads and its request: answered as of a moment after this request was sent. */
  linearizableRead: 10_001,
  getChildrenPage: 10_002,
  /** A znode and everything below it, at once. */
  deleteRecursive: 10_003,
} as const

/** Three letters that Apache's statistics know an operation by, such as `GETD`. */
export const operationNames: Readonly<Record<number, string>> = {
  1: 'CREA',
  2: 'DELE',
  3: 'EXIS',
  4: 'GETD',
  5: 'SETD',
  6: 'GETA',
  7: 'SETA',
  8: 'GETC',
  9: 'SYNC',
  11: 'PING',
  12: 'GETC',
  13: 'CHEC',
  14: 'MULT',
  15: 'CREA',
  16: 'RECO',
  17: 'CHKW',
  18: 'REMW',
  19: 'CREA',
  20: 'DELE',
  21: 'CREA',
  22: 'MLTR',
  101: 'SETW',
  103: 'GETE',
  104: 'GETACN',
  105: 'STW2',
  106: 'ADDW',
  107: 'HOMI',
  '-10': 'SESS',
  '-11': 'CLOS',
}

/** Correlation ids that do not name a request of the client's own counting. */
export const specialXid = { notification: -1, ping: -2, auth: -4, setWatches: -8 } as const

/** What happened to a watched znode. */
export const eventType = {
  None: -1,
  NodeCreated: 1,
  NodeDeleted: 2,
  NodeDataChanged: 3,
  NodeChildrenChanged: 4,
  DataWatchRemoved: 5,
  ChildWatchRemoved: 6,
  PersistentWatchRemoved: 7,
} as const

/** The state of a client's session as its watchers are told. */
export const keeperState = {
  Unknown: -1,
  Disconnected: 0,
  NoSyncConnected: 1,
  SyncConnected: 3,
  AuthFailed: 4,
  ConnectedReadOnly: 5,
  SaslAuthenticated: 6,
  Closed: 7,
  Expired: -112,
} as const

/** Which watches removeWatches and checkWatches mean. */
export const watcherType = { Children: 1, Data: 2, Any: 3, Persistent: 4, PersistentRecursive: 5 } as const

/** Watches that stay after they fire. */
export const addWatchMode = { persistent: 0, persistentRecursive: 1 } as const

/** The flags of a create request. */
export const createMode = {
  PERSISTENT: 0,
  EPHEMERAL: 1,
  PERSISTENT_SEQUENTIAL: 2,
  EPHEMERAL_SEQUENTIAL: 3,
  CONTAINER: 4,
  PERSISTENT_WITH_TTL: 5,
  PERSISTENT_SEQUENTIAL_WITH_TTL: 6,
} as const

/** Bits of an ACL entry. */
export const permission = { READ: 1, WRITE: 2, CREATE: 4, DELETE: 8, ADMIN: 16, ALL: 31 } as const

/** Kinds of packet between leader and learner. */
export const packetType = {
  REQUEST: 1,
  PROPOSAL: 2,
  ACK: 3,
  COMMIT: 4,
  PING: 5,
  REVALIDATE: 6,
  SYNC: 7,
  INFORM: 8,
  COMMITANDACTIVATE: 9,
  NEWLEADER: 10,
  FOLLOWERINFO: 11,
  UPTODATE: 12,
  DIFF: 13,
  TRUNC: 14,
  SNAP: 15,
  OBSERVERINFO: 16,
  LEADERINFO: 17,
  ACKEPOCH: 18,
  INFORMANDACTIVATE: 19,
} as const
