import { deleteTopics, errorCode, ZERO_UUID } from '@vivarium/kafka-protocol'
import type { Broker } from '../broker.ts'
import { metadataReached } from '../metadata/topic-creation.ts'
import { paths } from '../metadata/zookeeper-layout.ts'
import { handler } from './handler.ts'

/** Deletes topics by name or id; answers when they are gone from the metadata here. Only the controller does. */
export default handler(deleteTopics, [0, 6], async (request, { apiVersion }, broker) => {
  const asked =
    apiVersion >= 6 ? request.topics : request.topicNames.map(name => ({ name, topicId: ZERO_UUID }))
  const deadlineMs = broker.clock.monotonicMs() + request.timeoutMs
  const seen = new Set<string>()
  const responses = await Promise.all(
    asked.map(async one => {
      const name = one.name ?? broker.metadata.topicName(one.topicId)
      const answer = (code: number, errorMessage: string | null = null) => ({
        name: code === errorCode.UNKNOWN_TOPIC_ID ? null : name,
        topicId: name === null ? one.topicId : (broker.metadata.topic(name)?.topicId ?? one.topicId),
        errorCode: code,
        errorMessage,
      })
      if (!broker.controller.isActive) return answer(errorCode.NOT_CONTROLLER)
      if (!broker.settings.values['delete.topic.enable']) {
        return answer(
          apiVersion < 3 ? errorCode.INVALID_REQUEST : errorCode.TOPIC_DELETION_DISABLED,
          'Topic deletion is disabled.',
        )
      }
      if (one.name !== null && one.topicId !== ZERO_UUID) {
        return answer(errorCode.INVALID_REQUEST, 'You may not specify both topic name and topic id.')
      }
      if (name === null) return answer(errorCode.UNKNOWN_TOPIC_ID)
      if (seen.has(name)) return answer(errorCode.INVALID_REQUEST, 'Duplicate topic name.')
      seen.add(name)
      if (broker.metadata.topic(name) === null) return answer(errorCode.UNKNOWN_TOPIC_OR_PARTITION)
      const confirmed = answer(errorCode.NONE)
      const leftMs = request.timeoutMs <= 0 ? 0 : deadlineMs - broker.clock.monotonicMs()
      const isGone = await remove(broker, name, leftMs)
      return isGone ? confirmed : answer(errorCode.REQUEST_TIMED_OUT, 'The topic is marked for deletion.')
    }),
  )
  return { responses }
})

async function remove(broker: Broker, name: string, timeoutMs: number): Promise<boolean> {
  await broker.zookeeper.ensure(paths.deleteTopic(name))
  return metadataReached(broker, () => broker.metadata.topic(name) === null, timeoutMs)
}
