import type { ByteReader, ByteWriter } from '@vivarium/bytes'
import type { Fields, Type } from './jute.ts'

const widths: Readonly<Record<string, number>> = { int: 4, long: 8, boolean: 1 }

/**
 * Turns a record's declaration into straight-line code that reads it: records in it are read in place, and neighbours of
 * fixed width share one check that their bytes are there. `interpreted` is the same in plain words.
 */
export function compileReader(name: string, fields: Fields): (reader: ByteReader) => unknown {
  const types: Type<unknown>[] = []
  return build(`${name}.read`, 'r', readerCode(fields, types), types) as never
}

/** The same for writing it. */
export function compileWriter(name: string, fields: Fields): (writer: ByteWriter, value: unknown) => void {
  const types: Type<unknown>[] = []
  return build(`${name}.write`, 'w, v', writerCode(fields, 'v', types), types) as never
}

/** `types` are those whose own methods the code calls, as t0, t1 … */
function build(title: string, parameters: string, body: string, types: readonly Type<unknown>[]): unknown {
  const names = types.map((_, index) => `t${index}`)
  return new Function(...names, `return (${parameters}) => {\n${body}\n}\n//# sourceURL=jute/${title}.js`)(
    ...types,
  )
}

interface Leaf {
  type: Type<unknown>
  /** The local variable that holds it. */
  variable: string
}

function readerCode(fields: Fields, types: Type<unknown>[]): string {
  const leaves: Leaf[] = []
  const literal = literalOf(fields, leaves)
  const lines: string[] = []
  for (let i = 0; i < leaves.length; ) {
    const run = fixedRun(leaves, i)
    if (run.length === 0) {
      const { type, variable } = leaves[i]!
      lines.push(`const ${variable} = t${types.push(type) - 1}.read(r)`)
      i++
    } else {
      lines.push(...readRun(run, `p${i}`))
      i += run.length
    }
  }
  return [...lines, `return ${literal}`].join('\n')
}

/** The object literal of a record, its leaves named in wire order. */
function literalOf(fields: Fields, leaves: Leaf[]): string {
  const properties = Object.entries(fields).map(([field, type]) => {
    if (type.shape.kind === 'record') return `${field}: ${literalOf(type.shape.fields, leaves)}`
    const variable = `v${leaves.length}`
    leaves.push({ type, variable })
    return `${field}: ${variable}`
  })
  return `{ ${properties.join(', ')} }`
}

function fixedRun(leaves: readonly Leaf[], start: number): Leaf[] {
  const run: Leaf[] = []
  for (let i = start; i < leaves.length && leaves[i]!.type.shape.kind in widths; i++) run.push(leaves[i]!)
  return run
}

function readRun(run: readonly Leaf[], position: string): string[] {
  const lines: string[] = []
  let offset = 0
  for (const { type, variable } of run) {
    const at = offset === 0 ? position : `${position} + ${offset}`
    switch (type.shape.kind) {
      case 'int':
        lines.push(`const ${variable} = r.buffer.readInt32BE(${at})`)
        break
      case 'long':
        lines.push(`const ${variable} = r.int64At(${at})`)
        break
      default:
        lines.push(`const ${variable} = r.buffer[${at}] !== 0`)
    }
    offset += widths[type.shape.kind]!
  }
  return [`const ${position} = r.advance(${offset}, 'record')`, ...lines]
}

function writerCode(fields: Fields, value: string, types: Type<unknown>[]): string {
  return Object.entries(fields)
    .map(([field, type]) => {
      const of = `${value}.${field}`
      switch (type.shape.kind) {
        case 'int':
          return `w.int32(${of})`
        case 'long':
          return `w.int64(${of})`
        case 'boolean':
          return `w.boolean(${of})`
        case 'record':
          return writerCode(type.shape.fields, of, types)
        default:
          return `t${types.push(type) - 1}.write(w, ${of})`
      }
    })
    .join('\n')
}
