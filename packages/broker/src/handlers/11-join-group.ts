import { errorCode, joinGroup } from '@vivarium/kafka-protocol'
import type { JoinResult } from '../groups/group.ts'
import { handler } from './handler.ts'

/** A member joins its group; the answer comes when everybody has. */
export default handler(joinGroup, [0, 9], async (request, { apiVersion, clientId, clientHost }, broker) => {
  const group = broker.groups.groupForJoining(request.groupId)
  // A member id is given out here alone: one that came with an absent group is of an earlier life.
  const result: JoinResult =
    typeof group === 'number'
      ? {
          errorCode: group,
          generationId: -1,
          protocolType: null,
          protocolName: null,
          leader: '',
          memberId: request.memberId,
          skipAssignment: false,
          members: [],
        }
      : await new Promise(resolve =>
          group.join(
            {
              memberId: request.memberId,
              groupInstanceId: request.groupInstanceId,
              clientId,
              clientHost: `/${clientHost}`,
              sessionTimeoutMs: request.sessionTimeoutMs,
              // Version 0 knows one timeout only.
              rebalanceTimeoutMs:
                request.rebalanceTimeoutMs < 0 ? request.sessionTimeoutMs : request.rebalanceTimeoutMs,
              protocolType: request.protocolType,
              // The bytes are slices of the request: what is kept for a generation must not keep all of it.
              protocols: request.protocols.map(({ name, metadata }) => ({
                name,
                metadata: Buffer.from(metadata),
              })),
              canLearnId: apiVersion >= 4,
              canSkipAssignment: apiVersion >= 9,
            },
            broker.clock.monotonicMs(),
            resolve,
          ),
        )
  const isNullable = apiVersion >= 7
  return {
    ...result,
    protocolName: result.protocolName ?? (isNullable ? null : ''),
    skipAssignment: apiVersion >= 9 && result.skipAssignment,
    errorCode:
      result.errorCode === errorCode.FENCED_INSTANCE_ID && apiVersion < 5
        ? errorCode.UNKNOWN_MEMBER_ID
        : result.errorCode,
  }
})
