import { errorCode, listGroups } from '@vivarium/kafka-protocol'
import { handler } from './handler.ts'

/** The groups this broker coordinates. */
export default handler(listGroups, [0, 5], (request, _context, broker) => {
  const groups = broker.groups.groups()
  if (typeof groups === 'number') return { errorCode: groups }
  const states = request.statesFilter.map(state => state.toLowerCase())
  const types = request.typesFilter.map(type => type.toLowerCase())
  const isWanted = (state: string) => states.length === 0 || states.includes(state.toLowerCase())
  return {
    errorCode: errorCode.NONE,
    groups:
      types.length > 0 && !types.includes('classic')
        ? []
        : groups
            .filter(group => isWanted(group.state))
            .map(({ id: groupId, protocolType, state: groupState }) => ({
              groupId,
              protocolType: protocolType ?? '',
              groupState,
              groupType: 'classic',
            })),
  }
})
