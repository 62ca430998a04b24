import { errorCode, leaveGroup } from '@vivarium/kafka-protocol'
import { handler } from './handler.ts'

/** Members leave their group; since version 3 several at once, static ones by their instance id. */
export default handler(leaveGroup, [0, 5], (request, { apiVersion }, broker) => {
  const group = broker.groups.group(request.groupId, errorCode.UNKNOWN_MEMBER_ID)
  const nowMs = broker.clock.monotonicMs()
  if (apiVersion < 3)
    return { errorCode: typeof group === 'number' ? group : group.leave(request.memberId, null, nowMs) }
  if (typeof group === 'number' && group !== errorCode.UNKNOWN_MEMBER_ID) return { errorCode: group }
  return {
    members: request.members.map(({ memberId, groupInstanceId }) => ({
      memberId,
      groupInstanceId,
      errorCode: typeof group === 'number' ? group : group.leave(memberId, groupInstanceId, nowMs),
    })),
  }
})
