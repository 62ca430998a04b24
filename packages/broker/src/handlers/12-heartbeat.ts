import { errorCode, heartbeat } from '@vivarium/kafka-protocol'
import { handler } from './handler.ts'

/** A member tells its group that it lives, and hears whether it must join anew. */
export default handler(
  heartbeat,
  [0, 4],
  ({ groupId, memberId, groupInstanceId, generationId }, _context, broker) => {
    const group = broker.groups.group(groupId, errorCode.UNKNOWN_MEMBER_ID)
    if (typeof group !== 'number')
      return {
        errorCode: group.heartbeat(memberId, groupInstanceId, generationId, broker.clock.monotonicMs()),
      }
    // While the group is being loaded its members shall just go on.
    return { errorCode: group === errorCode.COORDINATOR_LOAD_IN_PROGRESS ? errorCode.NONE : group }
  },
)
