import { errorCode } from '@vivarium/kafka-protocol'
import type { Broker } from '../broker.ts'
import { paths } from '../metadata/zookeeper-layout.ts'
import { isCode, zooKeeperErrorCode as znode } from '../metadata/zookeeper-session.ts'

/** Group names come from outside: what cannot be one step of a path has no znode. */
const pathStep = /^(?!\.{1,2}$)[^/\0]+$/

/** Keeps an offset where consumers from before Kafka 0.9 keep theirs (OffsetCommit 0); gives the error. */
export async function storeOffset(
  { zookeeper, log }: Broker,
  group: string,
  topic: string,
  partition: number,
  offset: number,
): Promise<number> {
  if (!pathStep.test(group)) return errorCode.INVALID_GROUP_ID
  const path = paths.consumerOffset(group, topic, partition)
  try {
    try {
      await zookeeper.setData(path, String(offset))
    } catch (error) {
      if (!isCode(error, znode.NONODE)) throw error
      await zookeeper.ensure(path, String(offset))
      // Somebody may have made it meanwhile.
      await zookeeper.setData(path, String(offset))
    }
    return errorCode.NONE
  } catch (error) {
    log.named('kafka.server.KafkaApis').error(`${path} could not be written`, error)
    return errorCode.UNKNOWN_SERVER_ERROR
  }
}

/** The offset kept there; null if there is none, or no number. */
export async function storedOffset(
  { zookeeper }: Broker,
  group: string,
  topic: string,
  partition: number,
): Promise<number | null> {
  if (!pathStep.test(group)) return null
  const found = await zookeeper.read(paths.consumerOffset(group, topic, partition))
  const text = found?.data?.toString('utf8') ?? ''
  const offset = Number(text)
  return /^-?\d+$/.test(text) && Number.isSafeInteger(offset) ? offset : null
}
