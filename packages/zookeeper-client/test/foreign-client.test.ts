// A client we did not write and ours, on the same servers, see each other's work.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { TestEnsemble, until } from './ensemble.ts'

interface Event {
  getName(): string
  getPath(): string
}
type Done = (error: unknown, ...results: never[]) => void
/** What is used of node-zookeeper-client, which has no types. */
interface Foreign {
  once(event: 'connected', listener: () => void): void
  connect(): void
  close(): void
  create(path: string, data: Buffer, acls: unknown[] | null, mode: number, done: Done): void
  getData(path: string, watcher: ((event: Event) => void) | null, done: Done): void
  setData(path: string, data: Buffer, version: number, done: Done): void
  getChildren(path: string, watcher: ((event: Event) => void) | null, done: Done): void
  remove(path: string, version: number, done: Done): void
  transaction(): Transaction
  addAuthInfo(scheme: string, auth: Buffer): void
}
interface Transaction {
  create(path: string, data: Buffer): Transaction
  check(path: string, version: number): Transaction
  setData(path: string, data: Buffer): Transaction
  commit(done: Done): void
}
const library = createRequire(import.meta.url)('node-zookeeper-client') as {
  createClient(connect: string, options: { sessionTimeout: number }): Foreign
  CreateMode: Record<'PERSISTENT' | 'EPHEMERAL_SEQUENTIAL', number>
}

/** The results of a call, or the name of its error. */
function result(call: (done: Done) => void): Promise<unknown[]> {
  return new Promise(resolve => {
    call((error, ...results) => resolve(error ? [(error as { name: string }).name] : results))
  })
}

test('node-zookeeper-client and this client see each other’s znodes, watches, refusals and rights', async () => {
  await using ensemble = await TestEnsemble.start(1)
  await using zk = await ensemble.client()
  const { PERSISTENT, EPHEMERAL_SEQUENTIAL } = library.CreateMode
  const foreign = library.createClient(ensemble.connect, { sessionTimeout: 6_000 })
  await new Promise<void>(resolve => {
    foreign.once('connected', resolve)
    foreign.connect()
  })

  await zk.create('/both', 'ours')
  const heard: string[] = []
  const watcher = (event: Event) => heard.push(`${event.getName()} ${event.getPath()}`)
  const [data] = await result(done => foreign.getData('/both', watcher, done))
  assert.equal(String(data), 'ours')
  assert.deepEqual((await result(done => foreign.getChildren('/both', watcher, done)))[0], [])
  await zk.setData('/both', 'ours again')
  await zk.create('/both/child')
  await until(
    () => heard.length === 2,
    () => heard.join(),
  )
  assert.deepEqual(heard, ['NODE_DATA_CHANGED /both', 'NODE_CHILDREN_CHANGED /both'])

  const ourHeard: string[] = []
  await zk.getData('/both', { watch: ({ type }) => ourHeard.push(type) })
  await result(done => foreign.setData('/both', Buffer.from('theirs'), 1, done))
  assert.equal((await zk.getData('/both')).data?.toString(), 'theirs')
  assert.deepEqual(ourHeard, ['NodeDataChanged'])
  assert.deepEqual(await result(done => foreign.setData('/both', Buffer.from('x'), 7, done)), ['BAD_VERSION'])
  assert.deepEqual(await result(done => foreign.remove('/both', -1, done)), ['NOT_EMPTY'])

  const [path] = await result(done =>
    foreign.create('/both/s-', Buffer.from(''), null, EPHEMERAL_SEQUENTIAL, done),
  )
  assert.equal(path, '/both/s-0000000001')
  const commit = (version: number) =>
    result(done =>
      foreign
        .transaction()
        .create(`/both/t${version}`, Buffer.from('1'))
        .check('/both', version)
        .setData(`/both/t${version}`, Buffer.from('2'))
        .commit(done),
    )
  assert.deepEqual(await commit(9), ['BAD_VERSION'])
  assert.equal(await zk.exists('/both/t9'), null)
  assert.equal((await commit(2)).length, 1)
  assert.equal((await zk.getData('/both/t2')).data?.toString(), '2')

  foreign.addAuthInfo('digest', Buffer.from('u:p'))
  await zk.addAuth('digest', 'u:p')
  await zk.create('/both/private', 'secret', { acl: [{ perms: 31, id: { scheme: 'auth', id: '' } }] })
  assert.equal(String((await result(done => foreign.getData('/both/private', null, done)))[0]), 'secret')
  await result(done => foreign.create('/both/open', Buffer.from(''), null, PERSISTENT, done))

  foreign.close()
  await until(
    async () => (await zk.exists('/both/s-0000000001')) === null,
    () => 'the ephemeral znode outlives its session',
  )
})
