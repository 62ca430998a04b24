import { type Acl, acl as aclRecord, encode, openAcl, vector } from '@vivarium/zookeeper-protocol'

interface Entry {
  readonly key: number
  readonly acl: readonly Acl[]
  readonly bytes: string
  users: number
}

/** The key of the open ACL, which stands in no snapshot. */
const openKey = -1

/** Equal ACLs are stored once, under a key of this process, for as long as a znode has them. */
export class AclTable {
  readonly #byBytes = new Map<string, Entry>()
  readonly #byKey = new Map<number, Entry>()
  #nextKey = 1

  /** The key for one more znode with this ACL. */
  acquire(acl: readonly Acl[]): number {
    if (isOpen(acl)) return openKey
    const bytes = encode(aclVector, acl as Acl[]).toString('latin1')
    let entry = this.#byBytes.get(bytes)
    if (entry === undefined) {
      // The strings may be slices of what was received.
      entry = { key: this.#nextKey++, acl: structuredClone(acl), bytes, users: 0 }
      this.#byBytes.set(bytes, entry)
      this.#byKey.set(entry.key, entry)
    }
    entry.users++
    return entry.key
  }

  /** One znode more has the ACL of a key that is in use. */
  retain(key: number): void {
    if (key !== openKey) this.#byKey.get(key)!.users++
  }

  /** One znode less has it. */
  release(key: number): void {
    const entry = this.#byKey.get(key)
    if (entry === undefined || --entry.users > 0) return
    this.#byKey.delete(key)
    this.#byBytes.delete(entry.bytes)
  }

  /** The ACL of a key that is in use. */
  get(key: number): readonly Acl[] {
    return key === openKey ? openAcl : this.#byKey.get(key)!.acl
  }

  /** Every ACL in use but the open one. */
  entries(): { key: number; acl: readonly Acl[] }[] {
    return [...this.#byKey.values()]
  }

  clear(): void {
    this.#byBytes.clear()
    this.#byKey.clear()
    this.#nextKey = 1
  }
}

const aclVector = vector(aclRecord)

function isOpen(acl: readonly Acl[]): boolean {
  if (acl === openAcl) return true
  const [only] = acl
  return acl.length === 1 && only!.perms === 31 && only!.id.scheme === 'world' && only!.id.id === 'anyone'
}
