import { alterConfigs, errorCode } from '@vivarium/kafka-protocol'
import type { Refusal } from '../metadata/topic-creation.ts'
import { storeTopicConfig, unalterable } from './config-resources.ts'
import { handler } from './handler.ts'

/** Replaces whole configurations. Any broker does; it writes them to ZooKeeper itself. */
export default handler(alterConfigs, [0, 2], async (request, _context, broker) => {
  const responses = []
  for (const { resourceType, resourceName, configs } of request.resources) {
    const empty = configs.find(({ value }) => value === null)
    const names = new Set(configs.map(({ name }) => name))
    let refusal: Refusal | null = unalterable(broker, resourceType, resourceName)
    if (refusal === null && empty !== undefined) {
      refusal = { code: errorCode.INVALID_CONFIG, message: `Null value not supported for : ${empty.name}` }
    }
    if (refusal === null && names.size < configs.length) {
      refusal = { code: errorCode.INVALID_REQUEST, message: 'A configuration key is given twice.' }
    }
    if (refusal === null) {
      const config = Object.fromEntries(configs.map(({ name, value }) => [name, value!]))
      refusal = await storeTopicConfig(broker, resourceName, config, request.validateOnly)
    }
    responses.push({
      errorCode: refusal?.code ?? errorCode.NONE,
      errorMessage: refusal?.message ?? null,
      resourceType,
      resourceName,
    })
  }
  return { responses }
})
