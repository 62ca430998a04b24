import { MalformedBytesError } from '@vivarium/bytes'
import {
  batchFromMessageSet,
  CorruptBatchError,
  errorCode,
  type ProduceRequest,
  produce,
} from '@vivarium/kafka-protocol'
import type { Broker } from '../broker.ts'
import type { AppendOutcome } from '../replication/replica-manager.ts'
import { CloseConnection, handler, type RequestContext } from './handler.ts'

/** Before it, records come as message sets of formats 0 and 1. */
const firstVersionWithBatches = 3
const internalTopics = new Set(['__consumer_offsets', '__transaction_state'])

/** Appends each partition's batch on its own; answers when every one is as safe as `acks` asks. */
export default handler(produce, [0, 11], async (request, context, broker) => {
  const { acks, timeoutMs } = request
  const isSensible = acks === -1 || acks === 0 || acks === 1
  const responses = await Promise.all(
    request.topicData.map(async ({ name, partitionData }) => ({
      name,
      partitionResponses: await Promise.all(
        partitionData.map(async ({ index, records }) => {
          const outcome = isSensible
            ? await append(broker, context, {
                topic: name,
                index,
                records,
                acks: acks as -1 | 0 | 1,
                timeoutMs,
              })
            : refusal(errorCode.INVALID_REQUIRED_ACKS)
          return { index, ...outcome, currentLeader: leaderHint(broker, name, index, outcome.errorCode) }
        }),
      ),
    })),
  )
  if (acks !== 0) return { responses }
  // Nobody waits for an answer; a failure is told by closing the connection, so that the client looks for the leader anew.
  const failed = responses
    .flatMap(topic => topic.partitionResponses)
    .find(partition => partition.errorCode !== errorCode.NONE)
  if (failed !== undefined)
    throw new CloseConnection(`a produce request with acks=0 failed with error ${failed.errorCode}`)
  return null
})

type Records = ProduceRequest['topicData'][number]['partitionData'][number]['records']

async function append(
  broker: Broker,
  context: RequestContext,
  {
    topic,
    index,
    records,
    acks,
    timeoutMs,
  }: { topic: string; index: number; records: Records; acks: -1 | 0 | 1; timeoutMs: number },
): Promise<AppendOutcome> {
  if (internalTopics.has(topic) && context.clientId !== '__admin_client')
    return refusal(errorCode.INVALID_TOPIC_EXCEPTION)
  if (records === null || records.length === 0) return refusal(errorCode.INVALID_RECORD)
  const batch = context.apiVersion >= firstVersionWithBatches ? records : fromMessages(broker, records)
  if (batch === null) return refusal(errorCode.CORRUPT_MESSAGE)
  return broker.replicas.append({
    topic,
    partition: index,
    records: batch,
    acks,
    timeoutMs,
    origin: 'client',
  })
}

/**
 * What producers from before Kafka 0.11 send, as a batch; null if it is damaged. Newer librdkafka looks for these versions
 * too before it compresses anything (KAFKA-18659).
 */
function fromMessages(broker: Broker, messages: Buffer): Buffer | null {
  try {
    return batchFromMessageSet(messages, broker.settings.values['socket.request.max.bytes']!)
  } catch (error) {
    if (error instanceof CorruptBatchError || error instanceof MalformedBytesError) return null
    throw error
  }
}

function refusal(code: number): AppendOutcome {
  return { errorCode: code, errorMessage: null, baseOffset: -1, logAppendTimeMs: -1, logStartOffset: -1 }
}

/** KIP-951: who leads instead, so that the client need not ask. */
function leaderHint(
  broker: Broker,
  topic: string,
  index: number,
  code: number,
): { leaderId: number; leaderEpoch: number } {
  const known = code === errorCode.NOT_LEADER_OR_FOLLOWER ? broker.metadata.partition(topic, index) : null
  return known === null
    ? { leaderId: -1, leaderEpoch: -1 }
    : { leaderId: known.leader, leaderEpoch: known.leaderEpoch }
}
