import { describeGroups, errorCode } from '@vivarium/kafka-protocol'
import { handler } from './handler.ts'

/** Who is in a group, and who reads what. */
export default handler(describeGroups, [0, 5], (request, _context, broker) => ({
  groups: request.groups.map(groupId => {
    const group = broker.groups.group(groupId, errorCode.GROUP_ID_NOT_FOUND)
    const none = {
      groupId,
      errorCode: errorCode.NONE as number,
      groupState: 'Dead',
      protocolType: '',
      protocolData: '',
      members: [],
    }
    if (group === errorCode.GROUP_ID_NOT_FOUND) return none
    if (typeof group === 'number') return { ...none, errorCode: group, groupState: '' }
    const isSettled = group.state === 'Stable'
    return {
      groupId,
      errorCode: errorCode.NONE as number,
      groupState: group.state,
      protocolType: group.protocolType ?? '',
      protocolData: isSettled ? (group.protocol ?? '') : '',
      members: [...group.members.values()].map(member => ({
        memberId: member.id,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        memberMetadata: isSettled ? group.metadataOf(member) : Buffer.alloc(0),
        memberAssignment: isSettled ? member.assignment : Buffer.alloc(0),
      })),
    }
  }),
}))
