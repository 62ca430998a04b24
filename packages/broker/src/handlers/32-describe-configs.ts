import { describeConfigs, errorCode } from '@vivarium/kafka-protocol'
import type { ConfigKey } from '@vivarium/platform'
import type { Broker } from '../broker.ts'
import {
  type ConfigSynonym,
  configSource,
  configText,
  topicKeys,
  topicSynonyms,
} from '../metadata/topic-configs.ts'
import type { Refusal } from '../metadata/topic-creation.ts'
import { topicNameProblem } from '../metadata/topic-names.ts'
import { brokerKeys } from '../settings.ts'
import { resourceType } from './config-resources.ts'
import { handler } from './handler.ts'

/** Numbers of the types of values (version 3 and later). */
const configType: Record<ConfigKey<unknown>['type'], number> = {
  boolean: 1,
  string: 2,
  int: 3,
  long: 5,
  double: 6,
  list: 7,
  password: 9,
}

/** What is set, where it comes from, and what would be in force without it (KIP-133, KIP-226). */
export default handler(describeConfigs, [0, 4], async (request, { apiVersion }, broker) => {
  // A topic without a replica here has never been loaded: its configuration comes without a notice when it is created.
  for (const { resourceType: type, resourceName } of request.resources) {
    const isTopic = type === resourceType.topic && broker.metadata.topic(resourceName) !== null
    if (isTopic) await broker.configs.loadTopic(resourceName)
  }
  const results = request.resources.map(({ resourceType: type, resourceName, configurationKeys }) => {
    const found = entriesOf(broker, type, resourceName)
    const head = { resourceType: type, resourceName }
    if ('code' in found) return { ...head, errorCode: found.code, errorMessage: found.message }
    const configs = found
      .filter(({ name }) => configurationKeys === null || configurationKeys.includes(name))
      .map(({ name, key, isReadOnly, synonyms }) => {
        const isSensitive = key.type === 'password'
        const { value, source } = synonyms[0]!
        return {
          name,
          value: isSensitive ? null : value,
          readOnly: isReadOnly,
          isSensitive,
          ...(apiVersion === 0 ? { isDefault: source === configSource.default } : { configSource: source }),
          ...(apiVersion >= 1 && request.includeSynonyms
            ? { synonyms: synonyms.map(one => (isSensitive ? { ...one, value: null } : one)) }
            : {}),
          ...(apiVersion >= 3
            ? {
                configType: configType[key.type],
                documentation: request.includeDocumentation ? key.about : null,
              }
            : { documentation: null }),
        }
      })
    return { ...head, errorCode: errorCode.NONE, errorMessage: null, configs }
  })
  return { results }
})

interface Entry {
  name: string
  key: ConfigKey<unknown>
  isReadOnly: boolean
  synonyms: ConfigSynonym[]
}

function entriesOf(broker: Broker, type: number, name: string): Entry[] | Refusal {
  if (type === resourceType.topic) return topicEntries(broker, name)
  if (type === resourceType.broker) return brokerEntries(broker, name)
  const message =
    type === resourceType.brokerLogger
      ? 'The levels of loggers cannot be described.'
      : `Resource type ${type} is not served by a broker whose metadata are in ZooKeeper.`
  return { code: errorCode.INVALID_REQUEST, message }
}

function topicEntries(broker: Broker, topic: string): Entry[] | Refusal {
  const problem = topicNameProblem(topic)
  if (problem !== null) return { code: errorCode.INVALID_TOPIC_EXCEPTION, message: problem }
  if (broker.metadata.topic(topic) === null) {
    return { code: errorCode.UNKNOWN_TOPIC_OR_PARTITION, message: `Topic '${topic}' does not exist.` }
  }
  const own = broker.configs.topicTexts(topic)
  return Object.entries(topicKeys).map(([name, { key }]) => ({
    name,
    key,
    isReadOnly: false,
    synonyms: topicSynonyms(broker.settings, own, name),
  }))
}

function brokerEntries(broker: Broker, name: string): Entry[] | Refusal {
  // The empty name is the default of all brokers: nothing of it is in force here.
  if (name === '') return []
  if (name !== String(broker.id)) {
    return {
      code: errorCode.INVALID_REQUEST,
      message: `Unexpected broker id, expected ${broker.id} or empty string, but received ${name}`,
    }
  }
  const { given } = broker.settings
  return Object.entries(brokerKeys as Record<string, ConfigKey<unknown>>).map(([key, declared]) => {
    const set = given.get(key)
    const fallback = { name: key, value: configText(declared.default), source: configSource.default }
    const own = set && { name: key, value: set.value.trim(), source: configSource.staticBroker }
    return {
      name: key,
      key: declared,
      isReadOnly: true,
      synonyms: own === undefined ? [fallback] : [own, fallback],
    }
  })
}
