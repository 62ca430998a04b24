import { api, array, bool, type Infer, int16, int32, int64, string } from '../schema.ts'

/** Source: DescribeLogDirsRequest.json, DescribeLogDirsResponse.json. */
export const describeLogDirs = api(
  { key: 35, name: 'DescribeLogDirs', versions: [0, 5], flexibleFrom: 2 },
  {
    topics: array(
      {
        topic: string(),
        partitions: array(int32()),
      },
      { nullableSince: 0 },
    ),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16({ since: 3, ignorable: true }),
    results: array({
      errorCode: int16(),
      logDir: string(),
      topics: array({
        name: string(),
        partitions: array({
          partitionIndex: int32(),
          partitionSize: int64(),
          offsetLag: int64(),
          isFutureKey: bool(),
        }),
      }),
      totalBytes: int64({ since: 4, default: -1, ignorable: true }),
      usableBytes: int64({ since: 4, default: -1, ignorable: true }),
      isCordoned: bool({ since: 5, ignorable: true }),
    }),
  },
)
export type DescribeLogDirsRequest = Infer<typeof describeLogDirs.request>
export type DescribeLogDirsResponse = Infer<typeof describeLogDirs.response>
