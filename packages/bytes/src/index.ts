export { ByteReader, MalformedBytesError } from './byte-reader.ts'
export { ByteWriter } from './byte-writer.ts'
export { FrameDecoder } from './frame-decoder.ts'
export { Span } from './span.ts'
