import { deleteGroups } from '@vivarium/kafka-protocol'
import { handler } from './handler.ts'

/** Removes groups without members, with what they committed. */
export default handler(deleteGroups, [0, 2], async (request, _context, broker) => ({
  results: await Promise.all(
    request.groupsNames.map(async groupId => ({
      groupId,
      errorCode: await broker.groups.deleteGroup(groupId),
    })),
  ),
}))
