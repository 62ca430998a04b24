import { type ErrorName, errorCode, errorName, retriableErrors } from '@vivarium/kafka-protocol'
import { ToolError } from './tool.ts'

/** What Apache's clients say when a broker gives a code without a message. */
const texts: Partial<Record<ErrorName, string>> = {
  UNKNOWN_SERVER_ERROR: 'The server experienced an unexpected error when processing the request.',
  OFFSET_OUT_OF_RANGE: 'The requested offset is not within the range of offsets maintained by the server.',
  UNKNOWN_TOPIC_OR_PARTITION: 'This server does not host this topic-partition.',
  LEADER_NOT_AVAILABLE:
    'There is no leader for this topic-partition as we are in the middle of a leadership election.',
  NOT_LEADER_OR_FOLLOWER: 'The broker is not the leader of this partition (any more).',
  REQUEST_TIMED_OUT: 'The request timed out.',
  COORDINATOR_LOAD_IN_PROGRESS: 'The coordinator is loading and hence cannot process requests.',
  COORDINATOR_NOT_AVAILABLE: 'The coordinator is not available.',
  NOT_COORDINATOR: 'This is not the correct coordinator.',
  INVALID_TOPIC_EXCEPTION: 'The request attempted to perform an operation on an invalid topic.',
  TOPIC_AUTHORIZATION_FAILED: 'Topic authorization failed.',
  GROUP_AUTHORIZATION_FAILED: 'Group authorization failed.',
  CLUSTER_AUTHORIZATION_FAILED: 'Cluster authorization failed.',
  UNSUPPORTED_VERSION: 'The version of API is not supported.',
  TOPIC_ALREADY_EXISTS: 'Topic with this name already exists.',
  NOT_CONTROLLER: 'This is not the correct controller for this cluster.',
  INVALID_GROUP_ID: 'The group id is invalid.',
  NON_EMPTY_GROUP: 'The group is not empty.',
  GROUP_ID_NOT_FOUND: 'The group id does not exist.',
  UNKNOWN_TOPIC_ID: 'This server does not host this topic ID.',
  GROUP_SUBSCRIBED_TO_TOPIC:
    'Deleting offsets of a topic is forbidden while the consumer group is actively subscribed to it.',
}

/** A broker refused a request. */
export class ServerError extends ToolError {
  override name = 'ServerError'
  readonly code: number

  constructor(code: number, message: string | null = null) {
    super(message === null || message === '' ? errorText(code) : message)
    this.code = code
  }

  /** Whether the same request may succeed a moment later. */
  get isRetriable(): boolean {
    return retriableErrors.has(this.code) && this.code !== errorCode.UNKNOWN_TOPIC_OR_PARTITION
  }
}

export function errorText(code: number): string {
  const name = errorName(code)
  return texts[name as ErrorName] ?? `The broker answered ${name} (${code}).`
}

/** Throws ServerError unless the code is that of success. */
export function check(code: number, message: string | null = null): void {
  if (code !== errorCode.NONE) throw new ServerError(code, message)
}
