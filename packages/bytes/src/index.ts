export { ByteReader, MalformedBytesError } from './byte-reader.ts'
export { ByteWriter } from './byte-writer.ts'
export { crc32c } from './crc32c.ts'
export { FrameDecoder } from './frame-decoder.ts'
