import {
  errorCode,
  type IncrementalAlterConfigsRequest,
  incrementalAlterConfigs,
} from '@vivarium/kafka-protocol'
import type { Broker } from '../broker.ts'
import { topicSynonyms } from '../metadata/topic-configs.ts'
import type { Refusal } from '../metadata/topic-creation.ts'
import { defaultEntity } from '../metadata/zookeeper-layout.ts'
import { isListKey, resourceType, storeTopicConfig, unalterable } from './config-resources.ts'
import { handler } from './handler.ts'

type Resource = IncrementalAlterConfigsRequest['resources'][number]

const operation = { set: 0, delete: 1, append: 2, subtract: 3 } as const

/** Changes single keys of configurations (KIP-339). Any broker does; it writes them to ZooKeeper itself. */
export default handler(incrementalAlterConfigs, [0, 1], async (request, _context, broker) => {
  const responses = []
  for (const resource of request.resources) {
    const { resourceType: type, resourceName } = resource
    const isTwice =
      request.resources.filter(other => other.resourceType === type && other.resourceName === resourceName)
        .length > 1
    const refusal = isTwice
      ? { code: errorCode.INVALID_REQUEST, message: 'Each resource must appear at most once.' }
      : await alter(broker, resource, request.validateOnly)
    responses.push({
      errorCode: refusal?.code ?? errorCode.NONE,
      errorMessage: refusal?.message ?? null,
      resourceType: type,
      resourceName,
    })
  }
  return { responses }
})

async function alter(broker: Broker, resource: Resource, isOnlyAsked: boolean): Promise<Refusal | null> {
  const { resourceType: type, resourceName: topic, configs } = resource
  if (type === resourceType.broker && configs.every(one => one.configOperation === operation.delete)) {
    return clearBrokerKeys(broker, resource, isOnlyAsked)
  }
  const unfit = unalterable(broker, type, topic)
  if (unfit !== null) return unfit
  const names = configs.map(({ name }) => name)
  const twice = names.filter((name, at) => names.indexOf(name) !== at)
  if (twice.length > 0) {
    return {
      code: errorCode.INVALID_REQUEST,
      message: `Error due to duplicate config keys : ${twice.join(',')}`,
    }
  }
  const config = await broker.configs.read('topics', topic)
  for (const { name, configOperation, value } of configs) {
    if (value === null && configOperation !== operation.delete) {
      return { code: errorCode.INVALID_REQUEST, message: `Null value not supported for : ${name}` }
    }
    switch (configOperation) {
      case operation.set:
        config[name] = value!
        break
      case operation.delete:
        delete config[name]
        break
      case operation.append:
      case operation.subtract: {
        if (!isListKey(name)) {
          return {
            code: errorCode.INVALID_CONFIG,
            message: `Config value append/subtract is not allowed for config key: ${name}`,
          }
        }
        const own = new Map(Object.entries(config))
        const present = words(topicSynonyms(broker.settings, own, name)[0]!.value ?? '')
        const given = words(value!)
        const next =
          configOperation === operation.append
            ? [...present, ...given.filter(word => !present.includes(word))]
            : present.filter(word => !given.includes(word))
        config[name] = next.join(',')
        break
      }
      default:
        return {
          code: errorCode.INVALID_REQUEST,
          message: `Operation ${configOperation} on ${name} is none.`,
        }
    }
  }
  return storeTopicConfig(broker, topic, config, isOnlyAsked)
}

/** Taking away what was set for brokers in ZooKeeper is always possible: nothing of it is in force here. */
async function clearBrokerKeys(
  broker: Broker,
  { resourceName, configs }: Resource,
  isOnlyAsked: boolean,
): Promise<Refusal | null> {
  if (resourceName !== '' && resourceName !== String(broker.id)) {
    const message = `Unexpected broker id, expected ${broker.id}, but received ${resourceName}`
    return { code: errorCode.INVALID_REQUEST, message }
  }
  const entity = resourceName === '' ? defaultEntity : resourceName
  const config = await broker.configs.read('brokers', entity)
  const present = configs.filter(({ name }) => name in config)
  if (present.length === 0 || isOnlyAsked) return null
  for (const { name } of present) delete config[name]
  await broker.configs.write('brokers', entity, config)
  return null
}

function words(text: string): string[] {
  return text
    .split(',')
    .map(word => word.trim())
    .filter(word => word !== '')
}
