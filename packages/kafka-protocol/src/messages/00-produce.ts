import { api, array, type Infer, int16, int32, int64, records, string, struct, uuid } from '../schema.ts'

/** Source: ProduceRequest.json, ProduceResponse.json. */
export const produce = api(
  { key: 0, name: 'Produce', versions: [0, 13], flexibleFrom: 9 },
  {
    transactionalId: string({ since: 3, nullableSince: 3, default: null }),
    acks: int16(),
    timeoutMs: int32(),
    topicData: array({
      name: string({ until: 12, ignorable: true }),
      topicId: uuid({ since: 13, ignorable: true }),
      partitionData: array({
        index: int32(),
        records: records({ nullableSince: 0 }),
      }),
    }),
  },
  {
    responses: array({
      name: string({ until: 12, ignorable: true }),
      topicId: uuid({ since: 13, ignorable: true }),
      partitionResponses: array({
        index: int32(),
        errorCode: int16(),
        baseOffset: int64(),
        logAppendTimeMs: int64({ since: 2, default: -1, ignorable: true }),
        logStartOffset: int64({ since: 5, default: -1, ignorable: true }),
        recordErrors: array(
          {
            batchIndex: int32({ since: 8 }),
            batchIndexErrorMessage: string({ since: 8, nullableSince: 8, default: null }),
          },
          { since: 8, ignorable: true },
        ),
        errorMessage: string({ since: 8, nullableSince: 8, default: null, ignorable: true }),
        currentLeader: struct(
          {
            leaderId: int32({ since: 10, default: -1 }),
            leaderEpoch: int32({ since: 10, default: -1 }),
          },
          { since: 10, tag: 0, taggedSince: 10 },
        ),
      }),
    }),
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    nodeEndpoints: array(
      {
        nodeId: int32({ since: 10 }),
        host: string({ since: 10 }),
        port: int32({ since: 10 }),
        rack: string({ since: 10, nullableSince: 10, default: null }),
      },
      { since: 10, tag: 0, taggedSince: 10 },
    ),
  },
)
export type ProduceRequest = Infer<typeof produce.request>
export type ProduceResponse = Infer<typeof produce.response>
