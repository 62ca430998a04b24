import { errorCode, findCoordinator } from '@vivarium/kafka-protocol'
import type { Broker } from '../broker.ts'
import { offsetsTopic } from '../groups/coordinator.ts'
import { autoCreateTopic } from '../metadata/topic-creation.ts'
import { handler } from './handler.ts'

const groupKey = 0
const transactionKey = 1

/** Which broker keeps the state of a group: the leader of its partition of `__consumer_offsets`. */
export default handler(findCoordinator, [0, 6], async (request, { apiVersion, listenerName }, broker) => {
  if (apiVersion >= 4) {
    return {
      coordinators: await Promise.all(
        request.coordinatorKeys.map(async key => ({
          key,
          ...(await find(broker, listenerName, key, request.keyType)),
        })),
      ),
    }
  }
  return find(broker, listenerName, request.key, request.keyType)
})

async function find(broker: Broker, listenerName: string, key: string, keyType: number) {
  const none = (code: number, errorMessage: string) => ({
    errorCode: code,
    errorMessage,
    nodeId: -1,
    host: '',
    port: -1,
  })
  if (keyType === transactionKey)
    return none(errorCode.COORDINATOR_NOT_AVAILABLE, 'transactions are not served yet')
  if (keyType !== groupKey)
    return none(errorCode.INVALID_REQUEST, `there are no coordinators of type ${keyType}`)
  if (key === '') return none(errorCode.INVALID_GROUP_ID, 'the group has no name')
  if (broker.metadata.topic(offsetsTopic) === null) {
    await autoCreateTopic(broker, offsetsTopic)
    return none(errorCode.COORDINATOR_NOT_AVAILABLE, `${offsetsTopic} is being created`)
  }
  const partition = broker.metadata.partition(offsetsTopic, broker.groups.partitionFor(key))
  const leader = partition === null ? null : broker.metadata.broker(partition.leader, listenerName)
  if (leader === null)
    return none(errorCode.COORDINATOR_NOT_AVAILABLE, 'the partition of the group has no leader')
  return {
    errorCode: errorCode.NONE as number,
    errorMessage: null,
    nodeId: leader.id,
    host: leader.host,
    port: leader.port,
  }
}
