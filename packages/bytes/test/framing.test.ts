import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FrameDecoder, MalformedBytesError } from '../src/index.ts'

function framed(payload: Uint8Array): Buffer {
  const frame = Buffer.alloc(4 + payload.length)
  frame.writeInt32BE(payload.length)
  frame.set(payload, 4)
  return frame
}

/** Pushes a stream in pieces of these lengths, again and again; gives the most bytes that were held back meanwhile. */
function pushInPieces(
  decoder: FrameDecoder,
  stream: Buffer,
  cuts: readonly number[],
  onFrame: (frame: Buffer) => void,
): number {
  let mostHeld = 0
  for (let at = 0, i = 0; at < stream.length; i++) {
    const end = at + cuts[i % cuts.length]!
    decoder.push(stream.subarray(at, end), onFrame)
    mostHeld = Math.max(mostHeld, decoder.bufferedBytes)
    at = end
  }
  return mostHeld
}

test('frames come out whole wherever the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 })),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
      (payloads, cuts) => {
        const stream = Buffer.concat(payloads.map(framed))
        const decoder = new FrameDecoder(40)
        const frames: Buffer[] = []
        pushInPieces(decoder, stream, cuts, frame => frames.push(Buffer.from(frame)))
        assert.deepEqual(
          frames.map(f => f.toString('hex')),
          payloads.map(p => Buffer.from(p).toString('hex')),
        )
        assert.equal(decoder.bufferedBytes, 0)
      },
    ),
  )
})

test('of frames that are too long a head is kept, and what follows them comes whole, wherever the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 })),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
      (payloads, cuts) => {
        const stream = Buffer.concat(payloads.map(framed))
        const came: string[] = []
        const decoder = new FrameDecoder(10, {
          maxBytes: 40,
          headBytes: 8,
          onFrame: (head, length) => came.push(`${head.toString('hex')} of ${length}`),
        })
        const mostHeld = pushInPieces(decoder, stream, cuts, frame => came.push(frame.toString('hex')))
        assert.ok(mostHeld <= 14)
        const expected = payloads
          .map(payload => Buffer.from(payload))
          .map(bytes =>
            bytes.length <= 10 ? bytes.toString('hex') : `${bytes.toString('hex', 0, 8)} of ${bytes.length}`,
          )
        assert.deepEqual(came, expected)
      },
    ),
  )
})

test('a frame that lies in one chunk is not copied', () => {
  const chunk = framed(Buffer.from('hello'))
  const decoder = new FrameDecoder(100)
  decoder.push(chunk, frame => assert.equal(frame.buffer, chunk.buffer))
})

test('a length that is negative or too large is refused before a byte of it is held', () => {
  for (const length of [-1, 101, 0x7fffffff, -0x80000000]) {
    const head = Buffer.alloc(4)
    head.writeInt32BE(length)
    for (const cut of [0, 1, 3]) {
      const decoder = new FrameDecoder(100)
      decoder.push(head.subarray(0, cut), () => assert.fail('there is no frame'))
      assert.throws(
        () => decoder.push(head.subarray(cut), () => assert.fail('there is no frame')),
        MalformedBytesError,
      )
      assert.ok(decoder.bufferedBytes <= 4)
    }
  }
})
