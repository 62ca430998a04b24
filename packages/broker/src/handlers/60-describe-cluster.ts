import { describeCluster, errorCode } from '@vivarium/kafka-protocol'
import { clusterOperations } from './03-metadata.ts'
import { handler } from './handler.ts'

const brokers = 1
const controllers = 2

/** The cluster's brokers, without topics (KIP-700). */
export default handler(describeCluster, [0, 1], (request, { listenerName }, broker) => {
  const { endpointType } = request
  if (endpointType !== brokers) {
    const isController = endpointType === controllers
    return {
      errorCode: isController ? errorCode.MISMATCHED_ENDPOINT_TYPE : errorCode.UNSUPPORTED_ENDPOINT_TYPE,
      errorMessage: isController
        ? 'The request was sent to an endpoint of the wrong type.'
        : `Unsupported endpoint type ${endpointType}`,
      endpointType,
      clusterId: broker.clusterId,
    }
  }
  return {
    errorCode: errorCode.NONE,
    clusterId: broker.clusterId,
    controllerId: broker.metadata.controllerId ?? -1,
    brokers: broker.metadata
      .brokers(listenerName)
      .map(({ id, host, port, rack }) => ({ brokerId: id, host, port, rack })),
    ...(request.includeClusterAuthorizedOperations ? { clusterAuthorizedOperations: clusterOperations } : {}),
  }
})
