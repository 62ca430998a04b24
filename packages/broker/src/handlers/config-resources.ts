import { errorCode } from '@vivarium/kafka-protocol'
import type { Broker } from '../broker.ts'
import { topicConfigProblem, topicKeys } from '../metadata/topic-configs.ts'
import type { Refusal } from '../metadata/topic-creation.ts'
import { topicNameProblem } from '../metadata/topic-names.ts'

/** What has a configuration, as requests number it. */
export const resourceType = { topic: 2, broker: 4, brokerLogger: 8, clientMetrics: 16, group: 32 } as const

/** Why the resource has no configuration that could be changed here; null if it has one. */
export function unalterable(broker: Broker, type: number, name: string): Refusal | null {
  if (type === resourceType.topic) {
    const problem = topicNameProblem(name)
    if (problem !== null) return { code: errorCode.INVALID_TOPIC_EXCEPTION, message: problem }
    if (broker.metadata.topic(name) !== null) return null
    return { code: errorCode.UNKNOWN_TOPIC_OR_PARTITION, message: `Topic '${name}' does not exist.` }
  }
  return unserved(type)
}

function unserved(type: number): Refusal {
  const message =
    type === resourceType.broker
      ? 'This broker does not change its configuration while it runs: set the key in server.properties and start it again.'
      : type === resourceType.brokerLogger
        ? 'The levels of loggers cannot be changed while the broker runs.'
        : `Resource type ${type} is not served by a broker whose metadata are in ZooKeeper.`
  return { code: errorCode.INVALID_REQUEST, message }
}

/** Writes a topic's configuration, if it is sound. */
export async function storeTopicConfig(
  broker: Broker,
  topic: string,
  config: Readonly<Record<string, string>>,
  isOnlyAsked: boolean,
): Promise<Refusal | null> {
  const problem = topicConfigProblem(config)
  if (problem !== null) return { code: errorCode.INVALID_CONFIG, message: problem }
  if (!isOnlyAsked) await broker.configs.write('topics', topic, config)
  return null
}

export function isListKey(name: string): boolean {
  return topicKeys[name]?.key.type === 'list'
}
