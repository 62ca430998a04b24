import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteWriter, Span } from '@vivarium/bytes'
import {
  type Acl,
  createMode,
  createRequest,
  deleteRequest,
  encode,
  type MultiOp,
  opCode,
  openAcl,
  setAclRequest,
  setDataRequest,
  writeMultiRequest,
} from '@vivarium/zookeeper-protocol'
import fc from 'fast-check'
import { DataTree } from '../src/data-tree.ts'
import { type Prepared, Preparer } from '../src/pipeline/prepare.ts'
import { SessionTracker } from '../src/sessions.ts'
import { decodeEntry } from '../src/txn.ts'

const usual = fc.constantFrom('/a', '/b', '/a/c', '/a/d', '/a/c/e')
const path = fc.oneof({ weight: 9, arbitrary: usual }, fc.constantFrom('/nowhere/g', '//', '/zookeeper'))
const version = fc.constantFrom(-1, -1, -1, -1, 0, 1)
const data = fc.constantFrom(null, Buffer.alloc(0), Buffer.from('some'), Buffer.alloc(2000, 7))
const acl = fc.constantFrom<Acl[]>([...openAcl], [{ perms: 1, id: { scheme: 'world', id: 'anyone' } }])
const flags = fc.constantFrom(createMode.PERSISTENT, createMode.EPHEMERAL, createMode.PERSISTENT_SEQUENTIAL)

const single: fc.Arbitrary<MultiOp> = fc.oneof(
  fc
    .record({ path, data, acl, flags })
    .map(body => ({ type: opCode.create, body: encode(createRequest, body) })),
  fc.record({ path, version }).map(body => ({ type: opCode.delete, body: encode(deleteRequest, body) })),
  fc
    .record({ path, data, version })
    .map(body => ({ type: opCode.setData, body: encode(setDataRequest, body) })),
  fc.record({ path, acl, version }).map(body => ({ type: opCode.setACL, body: encode(setAclRequest, body) })),
)
const multi = fc
  .array(
    single.filter(({ type }) => type !== opCode.setACL),
    { minLength: 1, maxLength: 5 },
  )
  .map(ops => {
    const body = new ByteWriter()
    writeMultiRequest(body, ops)
    return { type: opCode.multi, body: body.written() }
  })
const closeSession = fc.constant({ type: opCode.closeSession, body: Buffer.alloc(0) })

/** A request of one of two sessions, and how many of the transactions under way are applied before the next one comes. */
const step = fc.record({
  request: fc.oneof(
    { weight: 8, arbitrary: single },
    { weight: 3, arbitrary: multi },
    { weight: 1, arbitrary: closeSession },
  ),
  session: fc.constantFrom(1n, 2n),
  applied: fc.nat(3),
})

const steps = fc.array(step, { minLength: 50, maxLength: 100 })

/** A tree, and who judges requests for it. */
function judged(hashSeed: number) {
  const options = { extendedTypes: false, digests: true }
  const tree = new DataTree({ ...options, hashSeed })
  const sessions = new SessionTracker({ tickMs: 1000, nowMs: 0 })
  const preparer = new Preparer(tree, sessions, 0n, {
    ...options,
    skipAcl: true,
    closeSessionLists: true,
    mayBeLocal: () => false,
    onQuotaExceeded: null,
    maxTxnBytes: 1_000_000,
    reconfigure: null,
  })
  return {
    prepare: ({ type, body }: MultiOp, sessionId: bigint): Prepared => {
      if (sessions.get(sessionId)?.isClosing ?? true) {
        sessions.remove(sessionId)
        sessions.add(sessionId, 10_000, 0)
      }
      const request = {
        sessionId,
        xid: 1,
        opCode: type,
        body: new Span(body),
        identities: [],
        owner: sessionId,
      }
      return preparer.prepare(request, 1_000)
    },
    apply: ({ header, txn, digest }: Prepared) => {
      tree.apply(header, txn, null)
      preparer.applied(header.zxid)
      if (digest !== null) assert.ok(tree.hasDigest(digest), 'what was foreseen is what became of it')
    },
  }
}

test('a request is judged as if everything that is under way were done', () => {
  fc.assert(
    fc.property(steps, all => {
      const busy = judged(7)
      const idle = judged(8)
      const underWay: Prepared[] = []
      for (const { request, session, applied } of all) {
        const prepared = busy.prepare(request, session)
        const expected = idle.prepare(request, session)
        assert.deepEqual(prepared.txn, expected.txn)
        assert.deepEqual(prepared.entry, expected.entry)
        idle.apply(expected)
        underWay.push(prepared)
        for (const done of underWay.splice(0, applied)) busy.apply(done)
      }
      for (const done of underWay) busy.apply(done)
    }),
    { numRuns: 300 },
  )
})

test('what is logged of a request does to a tree what was foreseen', () => {
  fc.assert(
    fc.property(steps, all => {
      const leader = judged(7)
      const replica = new DataTree({ extendedTypes: false, digests: true, hashSeed: 9 })
      for (const { request, session } of all) {
        const prepared = leader.prepare(request, session)
        leader.apply(prepared)
        const { header, txn, digest } = decodeEntry(prepared.entry)
        replica.apply(header, txn, null)
        assert.deepEqual(digest, prepared.digest)
        if (digest !== null) assert.ok(replica.hasDigest(digest))
      }
    }),
  )
})
