import { errorCode, syncGroup } from '@vivarium/kafka-protocol'
import type { SyncResult } from '../groups/group.ts'
import { handler } from './handler.ts'

/** The leader hands in who gets what; everybody gets their share. */
export default handler(syncGroup, [0, 5], async (request, { apiVersion }, broker) => {
  const group = broker.groups.group(request.groupId, errorCode.UNKNOWN_MEMBER_ID)
  if (typeof group === 'number') {
    return {
      errorCode: group === errorCode.COORDINATOR_LOAD_IN_PROGRESS ? errorCode.REBALANCE_IN_PROGRESS : group,
    }
  }
  if (apiVersion >= 5 && (request.protocolType === null || request.protocolName === null))
    return { errorCode: errorCode.INCONSISTENT_GROUP_PROTOCOL }
  const result = await new Promise<SyncResult>(resolve =>
    group.sync(request, broker.clock.monotonicMs(), resolve),
  )
  const isDone = result.errorCode === errorCode.NONE
  return {
    ...result,
    protocolType: isDone ? group.protocolType : null,
    protocolName: isDone ? group.protocol : null,
  }
})
