import { api, array, bool, type Infer, int16, int32, int64, string } from '../schema.ts'

/** Source: ApiVersionsRequest.json, ApiVersionsResponse.json. */
export const apiVersions = api(
  { key: 18, name: 'ApiVersions', versions: [0, 5], flexibleFrom: 3 },
  {
    clientSoftwareName: string({ since: 3, ignorable: true }),
    clientSoftwareVersion: string({ since: 3, ignorable: true }),
    clusterId: string({ since: 5, nullableSince: 5, default: null, ignorable: true }),
    nodeId: int32({ since: 5, default: -1, ignorable: true }),
  },
  {
    errorCode: int16(),
    apiKeys: array({
      apiKey: int16(),
      minVersion: int16(),
      maxVersion: int16(),
    }),
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    supportedFeatures: array(
      {
        name: string({ since: 3 }),
        minVersion: int16({ since: 3 }),
        maxVersion: int16({ since: 3 }),
      },
      { since: 3, tag: 0, taggedSince: 3, ignorable: true },
    ),
    finalizedFeaturesEpoch: int64({ since: 3, default: -1, tag: 1, taggedSince: 3, ignorable: true }),
    finalizedFeatures: array(
      {
        name: string({ since: 3 }),
        maxVersionLevel: int16({ since: 3 }),
        minVersionLevel: int16({ since: 3 }),
      },
      { since: 3, tag: 2, taggedSince: 3, ignorable: true },
    ),
    zkMigrationReady: bool({ since: 3, tag: 3, taggedSince: 3, ignorable: true }),
  },
)
export type ApiVersionsRequest = Infer<typeof apiVersions.request>
export type ApiVersionsResponse = Infer<typeof apiVersions.response>
