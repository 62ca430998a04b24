import { api, array, bool, type Infer, int8, int16, int32, string } from '../schema.ts'

/** Source: DescribeClusterRequest.json, DescribeClusterResponse.json. */
export const describeCluster = api(
  { key: 60, name: 'DescribeCluster', versions: [0, 2], flexibleFrom: 0 },
  {
    includeClusterAuthorizedOperations: bool(),
    endpointType: int8({ since: 1, default: 1 }),
    includeFencedBrokers: bool({ since: 2 }),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullableSince: 0, default: null }),
    endpointType: int8({ since: 1, default: 1 }),
    clusterId: string(),
    controllerId: int32({ default: -1 }),
    brokers: array({
      brokerId: int32(),
      host: string(),
      port: int32(),
      rack: string({ nullableSince: 0, default: null }),
      isFenced: bool({ since: 2 }),
    }),
    clusterAuthorizedOperations: int32({ default: -2147483648 }),
  },
)
export type DescribeClusterRequest = Infer<typeof describeCluster.request>
export type DescribeClusterResponse = Infer<typeof describeCluster.response>
