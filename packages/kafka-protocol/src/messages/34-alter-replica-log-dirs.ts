import { api, array, type Infer, int16, int32, string } from '../schema.ts'

/** Source: AlterReplicaLogDirsRequest.json, AlterReplicaLogDirsResponse.json. */
export const alterReplicaLogDirs = api(
  { key: 34, name: 'AlterReplicaLogDirs', versions: [0, 2], flexibleFrom: 2 },
  {
    dirs: array({
      path: string(),
      topics: array({
        name: string(),
        partitions: array(int32()),
      }),
    }),
  },
  {
    throttleTimeMs: int32(),
    results: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
      }),
    }),
  },
)
export type AlterReplicaLogDirsRequest = Infer<typeof alterReplicaLogDirs.request>
export type AlterReplicaLogDirsResponse = Infer<typeof alterReplicaLogDirs.response>
