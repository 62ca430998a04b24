import { type CreateTopicsRequest, createTopics, errorCode } from '@vivarium/kafka-protocol'
import type { Broker } from '../broker.ts'
import { topicKeys, topicSynonyms } from '../metadata/topic-configs.ts'
import { metadataReached, planTopic, storeTopic, type TopicPlan } from '../metadata/topic-creation.ts'
import { handler } from './handler.ts'

/** Creates topics; answers when every partition has a leader here, or the time is over. Only the controller does. */
export default handler(createTopics, [0, 7], async (request, { apiVersion }, broker) => {
  const names = request.topics.map(({ name }) => name)
  const isTwice = (name: string) => names.indexOf(name) !== names.lastIndexOf(name)
  const deadlineMs = broker.clock.monotonicMs() + request.timeoutMs
  const asked = request.topics.filter(({ name }, at) => names.indexOf(name) === at)
  const topics = await Promise.all(
    asked.map(topic => {
      if (!broker.controller.isActive) return refused(topic.name, errorCode.NOT_CONTROLLER, null)
      if (isTwice(topic.name)) {
        return refused(topic.name, errorCode.INVALID_REQUEST, 'Duplicate topic name.')
      }
      return create(broker, topic, request, apiVersion, deadlineMs)
    }),
  )
  return { topics }
})

function refused(name: string, code: number, message: string | null) {
  return { name, errorCode: code, errorMessage: message }
}

async function create(
  broker: Broker,
  topic: CreateTopicsRequest['topics'][number],
  { validateOnly, timeoutMs }: CreateTopicsRequest,
  apiVersion: number,
  deadlineMs: number,
) {
  const { name } = topic
  const plan = await planTopic(broker, topic)
  if ('code' in plan) return refused(name, plan.code, plan.message)
  if (validateOnly) return created(broker, name, plan, apiVersion, false)
  const refusal = await storeTopic(broker, name, plan)
  if (refusal !== null) return refused(name, refusal.code, refusal.message)
  const isReady = () =>
    plan.assignment.every((_, index) => (broker.metadata.partition(name, index)?.leader ?? -1) >= 0)
  const leftMs = timeoutMs <= 0 ? 0 : deadlineMs - broker.clock.monotonicMs()
  if (!(await metadataReached(broker, isReady, leftMs))) {
    return refused(name, errorCode.REQUEST_TIMED_OUT, 'The topic is created, but not all of it is ready yet.')
  }
  return created(broker, name, plan, apiVersion, true)
}

function created(broker: Broker, name: string, plan: TopicPlan, apiVersion: number, isStored: boolean) {
  const own = new Map(Object.entries(plan.config))
  return {
    name,
    errorCode: errorCode.NONE,
    errorMessage: null,
    ...(apiVersion >= 7 && isStored ? { topicId: plan.topicId } : {}),
    ...(apiVersion >= 5
      ? {
          numPartitions: plan.assignment.length,
          replicationFactor: plan.assignment[0]!.length,
          configs: Object.keys(topicKeys).map(key => {
            const { value, source } = topicSynonyms(broker.settings, own, key)[0]!
            return { name: key, value, readOnly: false, configSource: source, isSensitive: false }
          }),
        }
      : {}),
  }
}
