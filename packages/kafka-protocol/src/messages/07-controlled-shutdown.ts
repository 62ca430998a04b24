import { api, array, type Infer, int16, int32, int64, string } from '../schema.ts'

/** Source: ControlledShutdownRequest.json, ControlledShutdownResponse.json. */
export const controlledShutdown = api(
  { key: 7, name: 'ControlledShutdown', versions: [0, 3], flexibleFrom: 3 },
  {
    brokerId: int32(),
    brokerEpoch: int64({ since: 2, default: -1, ignorable: true }),
  },
  {
    errorCode: int16(),
    remainingPartitions: array({
      topicName: string(),
      partitionIndex: int32(),
    }),
  },
)
export type ControlledShutdownRequest = Infer<typeof controlledShutdown.request>
export type ControlledShutdownResponse = Infer<typeof controlledShutdown.response>
