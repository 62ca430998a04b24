import { apiVersions, errorCode } from '@vivarium/kafka-protocol'
import { type Handler, handler } from './handler.ts'

const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9\-.]*$/

/** What this broker serves: exactly the handlers it has, in exactly their versions. */
export function apiVersionsHandler(handlers: () => readonly Handler[]): Handler {
  return handler(apiVersions, [0, 4], (request, { apiVersion }) => {
    const isNamed =
      namePattern.test(request.clientSoftwareName) && namePattern.test(request.clientSoftwareVersion)
    if (apiVersion >= 3 && !isNamed) return { errorCode: errorCode.INVALID_REQUEST }
    return {
      apiKeys: handlers().map(({ api, versions: [minVersion, maxVersion] }) => ({
        apiKey: api.key,
        minVersion,
        maxVersion,
      })),
      finalizedFeaturesEpoch: 0,
    }
  })
}
