/** Outcome of a request. Source: KeeperException.Code. */
export const errorCode = {
  OK: 0,
  SYSTEMERROR: -1,
  RUNTIMEINCONSISTENCY: -2,
  DATAINCONSISTENCY: -3,
  CONNECTIONLOSS: -4,
  MARSHALLINGERROR: -5,
  UNIMPLEMENTED: -6,
  OPERATIONTIMEOUT: -7,
  BADARGUMENTS: -8,
  NEWCONFIGNOQUORUM: -13,
  RECONFIGINPROGRESS: -14,
  UNKNOWNSESSION: -12,
  APIERROR: -100,
  NONODE: -101,
  NOAUTH: -102,
  BADVERSION: -103,
  NOCHILDRENFOREPHEMERALS: -108,
  NODEEXISTS: -110,
  NOTEMPTY: -111,
  SESSIONEXPIRED: -112,
  INVALIDCALLBACK: -113,
  INVALIDACL: -114,
  AUTHFAILED: -115,
  SESSIONMOVED: -118,
  NOTREADONLY: -119,
  EPHEMERALONLOCALSESSION: -120,
  NOWATCHER: -121,
  REQUESTTIMEOUT: -122,
  RECONFIGDISABLED: -123,
  SESSIONCLOSEDREQUIRESASLAUTH: -124,
  QUOTAEXCEEDED: -125,
  THROTTLEDOP: -127,
} as const

export type ErrorName = keyof typeof errorCode

const names = new Map<number, ErrorName>(
  Object.entries(errorCode).map(([name, code]) => [code, name as ErrorName]),
)

/** `NONODE` for −101; `ERROR_<code>` for a code nobody has named. */
export function errorName(code: number): ErrorName | `ERROR_${number}` {
  return names.get(code) ?? `ERROR_${code}`
}

/** A request that the ensemble refused, or that could not be answered. */
export class ZooKeeperError extends Error {
  override name = 'ZooKeeperError'
  readonly code: number
  /** The znode asked for, if one was named. */
  readonly path: string | null

  /** `detail`: what a person needs to know besides the code. */
  constructor(code: number, path: string | null = null, options: ErrorOptions & { detail?: string } = {}) {
    const what = path === null ? errorName(code) : `${errorName(code)} for ${path}`
    super(options.detail === undefined ? what : `${what}: ${options.detail}`, options)
    this.code = code
    this.path = path
  }
}
