import type { Acl, Id } from './records.ts'

export const anyone: Id = { scheme: 'world', id: 'anyone' }
/** Everyone may do everything. */
export const openAcl: readonly Acl[] = [{ perms: 31, id: anyone }]
/** Everyone may read. */
export const readAcl: readonly Acl[] = [{ perms: 1, id: anyone }]
/** Whoever creates the znode may do everything: the server puts the client's identities in. */
export const creatorAcl: readonly Acl[] = [{ perms: 31, id: { scheme: 'auth', id: '' } }]
