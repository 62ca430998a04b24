import { dirname } from 'node:path'
import type { Disk, DiskFile } from '@vivarium/platform'
import type { Chance } from './chance.ts'
import type { Life } from './machine.ts'

/** What a crash tears in two. */
const sectorBytes = 512
/** More than a record takes. */
const spareSectors = 4

interface Write {
  position: number
  bytes: Buffer
}

/** A file: what a read gives now, and what is sure to be there after the power has gone. */
class Inode {
  content: Buffer = Buffer.alloc(0)
  durable: Buffer = Buffer.alloc(0)
  /** Not durable yet, oldest first. */
  dirty: Write[] = []
}

type NameChange = { path: string; inode: Inode | null }

export interface DiskFaults {
  /** How likely a write or sync fails. */
  errorRate: number
  /** How long an operation takes: between these, evenly. */
  latencyMs: readonly [number, number]
  /** How likely one takes a hundred times as long. */
  stallRate: number
  /** No room: nothing can be written. */
  isFull: boolean
  /** A drive that says that it has written what it has not: nothing can be built on it. For tests of the checkers. */
  isLying: boolean
}

export const soundDisk: DiskFaults = {
  errorRate: 0,
  latencyMs: [0.05, 1],
  stallRate: 0.001,
  isFull: false,
  isLying: false,
}

/** A machine's disk. Survives the machine's lives; of what was not synced some beginning may survive a power loss. */
export class SimulatedDisk {
  faults: DiskFaults = { ...soundDisk }
  readonly #chance: Chance
  #files = new Map<string, Inode>()
  #folders = new Set<string>(['/'])
  /** As after a power loss, but for the changes below. */
  #durableNames = new Map<string, Inode>()
  /** By folder: changes of names that are not durable yet, oldest first. */
  readonly #pendingNames = new Map<string, NameChange[]>()

  constructor(chance: Chance) {
    this.#chance = chance
  }

  /** A file that was there before the machine's first process. */
  install(path: string, content: string | Uint8Array): void {
    for (let at = dirname(path); at !== '/'; at = dirname(at)) this.#folders.add(at)
    const inode = new Inode()
    inode.content = Buffer.from(content)
    inode.durable = Buffer.from(content)
    for (const names of [this.#files, this.#durableNames]) names.set(path, inode)
  }

  /** Every file and what it holds now. */
  image(): Map<string, Buffer> {
    return new Map(Array.from(this.#files, ([path, { content }]) => [path, Buffer.from(content)]))
  }

  /** What a look at the disk from outside shows; null if there is no such file. */
  textOf(path: string): string | null {
    return this.#files.get(path)?.content.toString() ?? null
  }

  /**
   * Damages one of the files that `isStored` names: a bit turns; or a write that was reported done never came, or went to
   * another place. Of the last sectors of one that `isOpen` none is lost: nobody could tell them from what the power cut off.
   * Gives the file and what happened to it; null if there is none.
   */
  rot(isStored: (path: string) => boolean, isOpen: (path: string) => boolean): string | null {
    const paths = [...this.#files.keys()].filter(isStored).sort()
    if (paths.length === 0) return null
    const path = this.#chance.pick(paths)
    const inode = this.#files.get(path)!
    const { content } = inode
    const sectors = Math.ceil(lengthWithoutZeros(content) / sectorBytes)
    if (sectors === 0) return null
    const mayLose = isOpen(path) ? sectors - spareSectors : sectors
    const kind = mayLose <= 0 ? 'bit' : this.#chance.pick(['bit', 'lost', 'misdirected'] as const)
    const images = [content, inode.durable]
    if (kind === 'bit') {
      const at = this.#chance.below(lengthWithoutZeros(content))
      const bit = 1 << this.#chance.below(8)
      for (const image of images) if (at < image.length) image[at]! ^= bit
      return `${path}: bit ${bit} of byte ${at}`
    }
    const lost = this.#chance.below(mayLose)
    const hit = kind === 'lost' ? lost : this.#chance.below(mayLose)
    const sector = Buffer.from(content.subarray(lost * sectorBytes, (lost + 1) * sectorBytes))
    for (const image of images) {
      image.fill(
        0,
        Math.min(image.length, lost * sectorBytes),
        Math.min(image.length, (lost + 1) * sectorBytes),
      )
      if (hit !== lost && (hit + 1) * sectorBytes <= image.length) sector.copy(image, hit * sectorBytes)
    }
    return `${path}: sector ${lost} ${kind}${hit === lost ? '' : ` to ${hit}`}`
  }

  /** The power goes. */
  loseWhatIsNotSynced(): void {
    for (const changes of this.#pendingNames.values()) {
      const kept = this.#chance.below(changes.length + 1)
      for (const change of changes.slice(0, kept)) applyChange(this.#durableNames, change)
    }
    this.#pendingNames.clear()
    this.#files = new Map(this.#durableNames)
    for (const inode of new Set(this.#files.values())) this.#tear(inode)
  }

  /** Each write that was under way is there, or not, or up to some sector. */
  #tear(inode: Inode): void {
    for (const { position, bytes } of inode.dirty) {
      const fate = this.#chance.below(3)
      if (fate === 0) continue
      const sectors = Math.ceil(bytes.length / sectorBytes)
      const length = fate === 1 ? bytes.length : this.#chance.below(sectors + 1) * sectorBytes
      inode.durable = written(inode.durable, position, bytes.subarray(0, length))
    }
    inode.dirty = []
    inode.content = Buffer.from(inode.durable)
  }

  /** The disk as one life of its machine sees it: operations of a life that has ended come to nothing. */
  doorOf(life: Life): Disk {
    const timed = <T>(operation: () => T): Promise<T> => this.#timed(life, operation)
    const changeName = (path: string, inode: Inode | null) => {
      applyChange(this.#files, { path, inode })
      const folder = dirname(path)
      const changes = this.#pendingNames.get(folder) ?? []
      changes.push({ path, inode })
      this.#pendingNames.set(folder, changes)
    }
    const existing = (path: string): Inode => {
      const inode = this.#files.get(path)
      if (inode === undefined) throw failure('ENOENT', `no such file or directory, open '${path}'`)
      return inode
    }
    const syncNames = (folder: string) => {
      for (const change of this.#pendingNames.get(folder) ?? []) applyChange(this.#durableNames, change)
      this.#pendingNames.delete(folder)
    }
    const disk: Disk = {
      open: (path, mode) =>
        timed(() => {
          if (mode === 'create' && this.#files.has(path))
            throw failure('EEXIST', `file exists, open '${path}'`)
          if ((mode === 'create' || mode === 'append-or-create') && !this.#files.has(path)) {
            this.#expectFolder(dirname(path))
            changeName(path, new Inode())
          }
          return this.#fileOf(existing(path), life)
        }),
      readFile: path => timed(() => Buffer.from(existing(path).content)),
      replaceFile: (path, content) =>
        this.#risky(life, () => {
          const inode = new Inode()
          inode.content = Buffer.from(content)
          inode.durable = this.faults.isLying ? Buffer.alloc(0) : Buffer.from(content)
          changeName(path, inode)
          if (!this.faults.isLying) syncNames(dirname(path))
        }),
      rename: (from, to) =>
        timed(() => {
          const inode = existing(from)
          changeName(to, inode)
          changeName(from, null)
        }),
      remove: path =>
        timed(() => {
          if (this.#files.has(path)) changeName(path, null)
        }),
      removeTree: path =>
        timed(() => {
          for (const name of [...this.#files.keys()])
            if (name === path || name.startsWith(`${path}/`)) changeName(name, null)
          for (const folder of [...this.#folders])
            if (folder === path || folder.startsWith(`${path}/`)) this.#folders.delete(folder)
        }),
      // Folders are made once, at the first start: that one may be lost is not played.
      makeDirectory: path =>
        timed(() => {
          for (let at = path; at !== '/' && at !== '.'; at = dirname(at)) this.#folders.add(at)
        }),
      list: path =>
        timed(() => {
          if (!this.#folders.has(path)) return null
          const names = [...this.#files.keys(), ...this.#folders].filter(
            name => dirname(name) === path && name !== path,
          )
          return names.map(name => name.slice(path === '/' ? 1 : path.length + 1)).sort()
        }),
      stat: path =>
        timed(() => {
          if (this.#folders.has(path)) return { sizeBytes: 0, modifiedMs: 0, isDirectory: true }
          const inode = this.#files.get(path)
          return inode === undefined
            ? null
            : { sizeBytes: inode.content.length, modifiedMs: 0, isDirectory: false }
        }),
      syncDirectory: path => timed(() => (this.faults.isLying ? undefined : syncNames(path))),
    }
    return disk
  }

  #expectFolder(path: string): void {
    if (!this.#folders.has(path)) throw failure('ENOENT', `no such file or directory, open '${path}/…'`)
  }

  #fileOf(inode: Inode, life: Life): DiskFile {
    const put = (buffers: readonly Uint8Array[], position: number): Write => {
      const write = { position, bytes: Buffer.concat(buffers) }
      inode.content = written(inode.content, write.position, write.bytes)
      inode.dirty.push(write)
      return write
    }
    const settle = (writes: readonly Write[]) => {
      if (this.faults.isLying) return
      // What an earlier write left in the same place goes to the drive with it.
      const settled = inode.dirty.filter((write, i) => {
        return (
          writes.includes(write) ||
          inode.dirty.slice(i + 1).some(later => writes.includes(later) && overlap(write, later))
        )
      })
      for (const { position, bytes } of settled) inode.durable = written(inode.durable, position, bytes)
      inode.dirty = inode.dirty.filter(write => !settled.includes(write))
    }
    return {
      write: (buffers, position) => {
        put(buffers, position)
        return this.#risky(life, () => {})
      },
      writeDurably: (buffers, position) => {
        const write = put(buffers, position)
        return this.#risky(
          life,
          () => settle([write]),
          () => this.#forget(inode, [write]),
        )
      },
      read: (into, position) => this.#timed(life, () => inode.content.copy(into, 0, position)),
      sync: () => {
        const writes = [...inode.dirty]
        return this.#risky(
          life,
          () => settle(writes),
          () => this.#forget(inode, writes),
        )
      },
      truncate: sizeBytes =>
        this.#timed(life, () => {
          inode.content = resized(inode.content, sizeBytes)
          // What is cut off is cut off for good only once it is synced; played as if it were at once.
          inode.durable = resized(inode.durable, Math.min(sizeBytes, inode.durable.length))
          inode.dirty = inode.dirty.filter(({ position, bytes }) => position + bytes.length <= sizeBytes)
        }),
      size: () => this.#timed(life, () => inode.content.length),
      close: () => this.#timed(life, () => {}),
    }
  }

  #risky(life: Life, operation: () => void, onFailure = () => {}): Promise<void> {
    return this.#timed(life, () => {
      const fails = this.#chance.happens(this.faults.errorRate)
      if (!fails && !this.faults.isFull) return operation()
      onFailure()
      throw fails ? failure('EIO', 'i/o error') : failure('ENOSPC', 'no space left on device')
    })
  }

  /**
   * After a failed sync the system shows what was written, holds it for clean, and never tries again: it may be on the disk
   * or not, whatever a later sync says.
   */
  #forget(inode: Inode, writes: readonly Write[]): void {
    for (const { position, bytes } of writes)
      if (this.#chance.happens(0.5)) inode.durable = written(inode.durable, position, bytes)
    inode.dirty = inode.dirty.filter(write => !writes.includes(write))
  }

  #timed<T>(life: Life, operation: () => T): Promise<T> {
    const [from, to] = this.faults.latencyMs
    const steps = 1000
    let delayMs = from + ((to - from) * this.#chance.below(steps)) / steps
    if (this.#chance.happens(this.faults.stallRate)) delayMs *= 100
    return new Promise((resolve, reject) => {
      life.after(delayMs, () => {
        try {
          resolve(operation())
        } catch (error) {
          reject(error)
        }
      })
    })
  }
}

function lengthWithoutZeros(content: Buffer): number {
  let length = content.length
  while (length > 0 && content[length - 1] === 0) length--
  return length
}

function overlap(a: Write, b: Write): boolean {
  return a.position < b.position + b.bytes.length && b.position < a.position + a.bytes.length
}

function applyChange(names: Map<string, Inode>, { path, inode }: NameChange): void {
  if (inode === null) names.delete(path)
  else names.set(path, inode)
}

/** In place where there is room. */
function written(content: Buffer, position: number, bytes: Buffer): Buffer {
  const end = position + bytes.length
  const result = end <= content.length ? content : resized(content, end)
  bytes.copy(result, position)
  return result
}

function resized(content: Buffer, length: number): Buffer {
  const result = Buffer.alloc(length)
  content.copy(result)
  return result
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code })
}
