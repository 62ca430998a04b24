import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { MalformedBytesError } from '@vivarium/bytes'
import {
  apiByKey,
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  UnsupportedVersionError,
} from '../src/index.ts'

/** Frames between Apache's brokers and clients, one a line: `key version response|request hex`. Recorded from Kafka 3.9. */
const lines = gunzipSync(readFileSync(new URL('fixtures/apache-3.9-frames.txt.gz', import.meta.url)))
  .toString()
  .trim()
  .split('\n')
const frames = lines.map(line => {
  const [key, version, direction, hex] = line.split(' ')
  return {
    key: Number(key),
    version: Number(version),
    isRequest: direction === 'request',
    frame: Buffer.from(hex!, 'hex'),
  }
})

test('requests of Apache’s brokers and of other clients decode, and encode to the same bytes', () => {
  for (const { key, version, frame } of frames.filter(f => f.isRequest)) {
    const { api, apiVersion, correlationId, clientId, body } = decodeRequest(frame)
    assert.deepEqual([api.key, apiVersion], [key, version])
    const again = encodeRequest(api, apiVersion, { correlationId, clientId }, body as never)
    assert.equal(again.subarray(4).toString('hex'), frame.toString('hex'), `${api.name} v${version}`)
  }
})

test('responses of Apache’s brokers decode, and encode to the same bytes', () => {
  for (const { key, version, frame } of frames.filter(f => !f.isRequest)) {
    const api = apiByKey(key)!
    const { correlationId, body } = decodeResponse(api, version, frame)
    const again = Buffer.concat(encodeResponse(api, version, correlationId, body as never))
    assert.equal(again.subarray(4).toString('hex'), frame.toString('hex'), `${api.name} v${version}`)
  }
})

test('every truncation of a recorded frame is an error that says so', () => {
  const seen = new Set<string>()
  for (const { key, version, isRequest, frame } of frames) {
    const name = `${key} ${version} ${isRequest}`
    if (seen.has(name) || frame.length > 3000) continue
    seen.add(name)
    for (let length = 0; length < frame.length; length++) {
      const cut = frame.subarray(0, length)
      const decode = () => (isRequest ? decodeRequest(cut) : decodeResponse(apiByKey(key)!, version, cut))
      assert.throws(
        decode,
        (error: Error) => error instanceof MalformedBytesError || error instanceof UnsupportedVersionError,
        `${name} cut at ${length}`,
      )
    }
  }
  assert.ok(seen.size > 30, `${seen.size} kinds of frames`)
})
