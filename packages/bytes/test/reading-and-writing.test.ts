import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as zlib from 'node:zlib'
import fc from 'fast-check'
import { crc32c } from '../src/crc32c.ts'
import { ByteReader, ByteWriter, copyBytes, crc32, crc32OfWords, MalformedBytesError } from '../src/index.ts'

const safeInteger = fc.maxSafeInteger()

test('what is written is read back, whatever the values', () => {
  fc.assert(
    fc.property(
      safeInteger,
      fc.integer(),
      fc.nat(0xffff_ffff),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.string(),
      (safe, int, unsigned, long, text) => {
        // No −0: on the wire zero has no sign.
        const half = Math.trunc(safe / 2) + 0
        const writer = new ByteWriter(1)
        writer.safeInt64(safe)
        writer.int32(int)
        writer.varint(int)
        writer.unsignedVarint(unsigned)
        writer.int64(long)
        writer.varlong(half)
        writer.utf8(text)
        const reader = new ByteReader(writer.written())
        assert.equal(reader.safeInt64(), safe)
        assert.equal(reader.int32(), int)
        assert.equal(reader.varint(), int)
        assert.equal(reader.unsignedVarint(), unsigned)
        assert.equal(reader.int64(), long)
        assert.equal(reader.varlong(), half)
        assert.equal(reader.utf8(reader.remaining), Buffer.from(text).toString())
      },
    ),
  )
})

test('a value that is cut off is an error at every length, never a wrong value', () => {
  const reads: ((reader: ByteReader) => unknown)[] = [
    r => r.int8(),
    r => r.int16(),
    r => r.int32(),
    r => r.int64(),
    r => r.safeInt64(),
    r => r.float64(),
    r => r.slice(9),
    r => r.utf8(9),
  ]
  for (const read of reads) {
    const whole = Buffer.alloc(16)
    const probe = new ByteReader(whole)
    read(probe)
    for (let length = 0; length < probe.position; length++) {
      assert.throws(() => read(new ByteReader(whole.subarray(0, length))), MalformedBytesError)
    }
  }
})

test('a varint longer than its type is refused', () => {
  assert.throws(
    () => new ByteReader(Buffer.from('ffffffffff01', 'hex')).unsignedVarint(),
    MalformedBytesError,
  )
  assert.throws(() => new ByteReader(Buffer.from('ffffffff1f', 'hex')).unsignedVarint(), MalformedBytesError)
  assert.throws(
    () => new ByteReader(Buffer.from('ffffffffffffffffff01', 'hex')).varlong(),
    MalformedBytesError,
  )
})

test('an int64 beyond 53 bits is refused where a number is asked for', () => {
  assert.throws(() => new ByteReader(Buffer.from('0020000000000000', 'hex')).safeInt64(), MalformedBytesError)
  assert.equal(new ByteReader(Buffer.from('001fffffffffffff', 'hex')).safeInt64(), Number.MAX_SAFE_INTEGER)
  assert.equal(new ByteReader(Buffer.from('ffffffffffffffff', 'hex')).safeInt64(), -1)
})

test('a negative length asks for nothing', () => {
  assert.throws(() => new ByteReader(Buffer.alloc(8)).slice(-1), MalformedBytesError)
})

test('CRC-32C is Castagnoli’s and can be computed in pieces', () => {
  const text = Buffer.from('123456789')
  assert.equal(crc32c(text), 0xe3069283)
  assert.equal(crc32c(text.subarray(4), crc32c(text.subarray(0, 4))), 0xe3069283)
})

test('64-bit numbers are written and read to the last bit', () => {
  const writer = new ByteWriter(1)
  const values = [
    0n,
    1n,
    -1n,
    2n ** 63n - 1n,
    -(2n ** 63n),
    0x0123456789abcdefn,
    -0x0123456789abcdefn,
    0xffffffffn,
  ]
  for (const value of values) writer.int64(value)
  const bytes = writer.written()
  for (const [index, value] of values.entries()) assert.equal(bytes.readBigInt64BE(index * 8), value)
  const reader = new ByteReader(bytes)
  for (const value of values) assert.equal(reader.int64(), value)
})

test('CRC-32 is what zlib says, short or long, and goes on from any part', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (bytes, cut) => {
      assert.equal(crc32(bytes), zlib.crc32(bytes))
      assert.equal(crc32(bytes, 0, Math.min(cut, bytes.length)), zlib.crc32(bytes.subarray(0, cut)))
      assert.equal(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut))), zlib.crc32(bytes))
      const aligned = new Uint8Array(304)
      aligned.set(bytes)
      const words = new Int32Array(aligned.buffer)
      assert.equal(crc32OfWords(words, bytes.length, cut), zlib.crc32(bytes, cut))
    }),
  )
})

test('a text is read and written as UTF-8, short or long, ASCII or not, and whatever bytes are no text', () => {
  const text = fc.oneof(
    fc.constantFrom('/a', '/b', ''),
    fc.string({ maxLength: 70 }),
    fc.constantFrom('Ã', 'é', '\u{1f600}'),
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(text, fc.uint8Array({ maxLength: 3 })), { maxLength: 20 }), texts => {
      for (const each of texts) {
        const bytes = Buffer.from(each as string)
        assert.equal(new ByteReader(bytes).utf8(bytes.length), bytes.toString())
        assert.equal(new ByteReader(bytes).commonUtf8(bytes.length), bytes.toString())
        const writer = new ByteWriter(1)
        writer.uint8(1)
        writer.utf8(bytes.toString())
        assert.deepEqual(writer.written(1), Buffer.from(bytes.toString()))
      }
    }),
  )
})

test('texts that come often are themselves, however many share a place, and long ones', () => {
  const read = (text: string) => new ByteReader(Buffer.from(text)).commonUtf8(Buffer.byteLength(text))
  const paths = Array.from({ length: 10_000 }, (_, i) => `/services/number-${i}`)
  for (let round = 0; round < 3; round++) for (const path of paths) assert.equal(read(path), path)
  const long = `/${'x'.repeat(5000)}`
  for (let round = 0; round < 3; round++) assert.equal(read(long), long)
})

test('bytes are copied between views as they are, wherever they begin and however many they are', () => {
  const some = fc.uint8Array({ minLength: 1, maxLength: 100 })
  fc.assert(
    fc.property(some, fc.nat(20), fc.nat(20), (bytes, start, at) => {
      const from = new Uint8Array(start + bytes.length)
      from.set(bytes, start)
      const into = new Uint8Array(at + bytes.length + 1).fill(7)
      copyBytes(new DataView(from.buffer), start, new DataView(into.buffer), at, bytes.length)
      const expected = new Uint8Array(into.length).fill(7)
      expected.set(bytes, at)
      assert.deepEqual(into, expected)
    }),
  )
})
