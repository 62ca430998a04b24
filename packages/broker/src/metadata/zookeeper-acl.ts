/** Who may do what with a znode: permission bits (read 1, write 2, create 4, delete 8, admin 16) of an identity. */
export interface Acl {
  perms: number
  id: { scheme: string; id: string }
}

export const openAcl: readonly Acl[] = [{ perms: 31, id: { scheme: 'world', id: 'anyone' } }]
export const readAcl: readonly Acl[] = [{ perms: 1, id: { scheme: 'world', id: 'anyone' } }]
/** Everything to whoever makes it, by the identities its session has. */
export const creatorAcl: readonly Acl[] = [{ perms: 31, id: { scheme: 'auth', id: '' } }]
