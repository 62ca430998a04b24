import { errorCode, MultiError, ZooKeeperError } from '@vivarium/zookeeper-client'

/** A command that could not be carried out; its message is all a person needs. */
export class ShellError extends Error {
  override name = 'ShellError'
}

/** A command that was not understood: its usage is printed behind the message. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** How Apache's zkCli words an error. Scripts look for these. */
export function messageOf(error: unknown): string {
  if (!(error instanceof ZooKeeperError) || error instanceof MultiError) return (error as Error).message
  const path = error.path ?? ''
  switch (error.code) {
    case errorCode.NONODE:
      return `Node does not exist: ${path}`
    case errorCode.NODEEXISTS:
      return `Node already exists: ${path}`
    case errorCode.NOTEMPTY:
      return `Node not empty: ${path}`
    case errorCode.NOCHILDRENFOREPHEMERALS:
      return `Ephemerals cannot have children: ${path}`
    case errorCode.NOAUTH:
      return `Insufficient permission : ${path}`
    case errorCode.BADVERSION:
      return `version No is not valid : ${path}`
    default: {
      const about = error.path === null ? '' : ` for ${error.path}`
      const why = error.cause instanceof Error ? ` (${error.cause.message})` : ''
      return `KeeperErrorCode = ${names[error.code] ?? `Unknown error ${error.code}`}${about}${why}`
    }
  }
}

/** Source: KeeperException.getCodeMessage. */
const names: Readonly<Record<number, string>> = {
  [errorCode.SYSTEMERROR]: 'SystemError',
  [errorCode.RUNTIMEINCONSISTENCY]: 'RuntimeInconsistency',
  [errorCode.DATAINCONSISTENCY]: 'DataInconsistency',
  [errorCode.CONNECTIONLOSS]: 'ConnectionLoss',
  [errorCode.MARSHALLINGERROR]: 'MarshallingError',
  [errorCode.UNIMPLEMENTED]: 'Unimplemented',
  [errorCode.OPERATIONTIMEOUT]: 'OperationTimeout',
  [errorCode.BADARGUMENTS]: 'BadArguments',
  [errorCode.NEWCONFIGNOQUORUM]: 'NewConfigNoQuorum',
  [errorCode.RECONFIGINPROGRESS]: 'ReconfigInProgress',
  [errorCode.APIERROR]: 'APIError',
  [errorCode.SESSIONEXPIRED]: 'Session expired',
  [errorCode.INVALIDACL]: 'InvalidACL',
  [errorCode.AUTHFAILED]: 'AuthFailed',
  [errorCode.SESSIONMOVED]: 'Session moved',
  [errorCode.NOTREADONLY]: 'Not a read-only call',
  [errorCode.EPHEMERALONLOCALSESSION]: 'Ephemeral node on local session',
  [errorCode.NOWATCHER]: 'No such watcher',
  [errorCode.RECONFIGDISABLED]: 'Reconfig is disabled',
  [errorCode.SESSIONCLOSEDREQUIRESASLAUTH]: 'Session closed because client failed to authenticate',
  [errorCode.QUOTAEXCEEDED]: 'Quota has exceeded',
  [errorCode.THROTTLEDOP]: 'Op throttled due to high load',
}
