import {
  api,
  array,
  type Infer,
  int8,
  int16,
  int32,
  int64,
  records,
  string,
  struct,
  uuid,
} from '../schema.ts'

/** Source: FetchRequest.json, FetchResponse.json. */
export const fetch = api(
  { key: 1, name: 'Fetch', versions: [0, 18], flexibleFrom: 12 },
  {
    clusterId: string({
      since: 12,
      nullableSince: 12,
      default: null,
      tag: 0,
      taggedSince: 12,
      ignorable: true,
    }),
    replicaId: int32({ until: 14, default: -1 }),
    replicaState: struct(
      {
        replicaId: int32({ since: 15, default: -1 }),
        replicaEpoch: int64({ since: 15, default: -1 }),
      },
      { since: 15, tag: 1, taggedSince: 15 },
    ),
    maxWaitMs: int32(),
    minBytes: int32(),
    maxBytes: int32({ since: 3, default: 2147483647, ignorable: true }),
    isolationLevel: int8({ since: 4, ignorable: true }),
    sessionId: int32({ since: 7, ignorable: true }),
    sessionEpoch: int32({ since: 7, default: -1, ignorable: true }),
    topics: array({
      topic: string({ until: 12, ignorable: true }),
      topicId: uuid({ since: 13, ignorable: true }),
      partitions: array({
        partition: int32(),
        currentLeaderEpoch: int32({ since: 9, default: -1, ignorable: true }),
        fetchOffset: int64(),
        lastFetchedEpoch: int32({ since: 12, default: -1 }),
        logStartOffset: int64({ since: 5, default: -1, ignorable: true }),
        partitionMaxBytes: int32(),
        replicaDirectoryId: uuid({ since: 17, tag: 0, taggedSince: 17, ignorable: true }),
        highWatermark: int64({
          since: 18,
          default: Number.MAX_SAFE_INTEGER,
          tag: 1,
          taggedSince: 18,
          ignorable: true,
        }),
      }),
    }),
    forgottenTopicsData: array(
      {
        topic: string({ since: 7, until: 12, ignorable: true }),
        topicId: uuid({ since: 13, ignorable: true }),
        partitions: array(int32(), { since: 7 }),
      },
      { since: 7 },
    ),
    rackId: string({ since: 11, ignorable: true }),
  },
  {
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    errorCode: int16({ since: 7, ignorable: true }),
    sessionId: int32({ since: 7 }),
    responses: array({
      topic: string({ until: 12, ignorable: true }),
      topicId: uuid({ since: 13, ignorable: true }),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        highWatermark: int64(),
        lastStableOffset: int64({ since: 4, default: -1, ignorable: true }),
        logStartOffset: int64({ since: 5, default: -1, ignorable: true }),
        divergingEpoch: struct(
          {
            epoch: int32({ since: 12, default: -1 }),
            endOffset: int64({ since: 12, default: -1 }),
          },
          { since: 12, tag: 0, taggedSince: 12 },
        ),
        currentLeader: struct(
          {
            leaderId: int32({ since: 12, default: -1 }),
            leaderEpoch: int32({ since: 12, default: -1 }),
          },
          { since: 12, tag: 1, taggedSince: 12 },
        ),
        snapshotId: struct(
          {
            endOffset: int64({ default: -1 }),
            epoch: int32({ default: -1 }),
          },
          { since: 12, tag: 2, taggedSince: 12 },
        ),
        abortedTransactions: array(
          {
            producerId: int64({ since: 4 }),
            firstOffset: int64({ since: 4 }),
          },
          { since: 4, nullableSince: 4, ignorable: true },
        ),
        preferredReadReplica: int32({ since: 11, default: -1 }),
        records: records({ nullableSince: 0 }),
      }),
    }),
    nodeEndpoints: array(
      {
        nodeId: int32({ since: 16 }),
        host: string({ since: 16 }),
        port: int32({ since: 16 }),
        rack: string({ since: 16, nullableSince: 16, default: null }),
      },
      { since: 16, tag: 0, taggedSince: 16 },
    ),
  },
)
export type FetchRequest = Infer<typeof fetch.request>
export type FetchResponse = Infer<typeof fetch.response>
