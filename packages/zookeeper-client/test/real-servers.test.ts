// Against real servers, each a process. With APACHE_ZOOKEEPER_CLASSPATH set, against Apache's.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Connection, Network } from '@vivarium/platform'
import { nodeClock, nodeNetwork } from '@vivarium/platform/node'
import {
  errorCode,
  fourLetterWord,
  MultiError,
  type WatchEvent,
  type ZooKeeper,
  ZooKeeperError,
} from '../src/index.ts'
import { TestEnsemble, until } from './ensemble.ts'

let ensemble: TestEnsemble
before(async () => {
  ensemble = await TestEnsemble.start(1)
})
after(() => ensemble[Symbol.asyncDispose]())

/** The machine's network with a switch: off, connections break and none is made. */
class SwitchedNetwork implements Network {
  #isOn = true
  readonly #open = new Set<Connection>()
  listen = nodeNetwork.listen

  async connect(...args: Parameters<Network['connect']>): Promise<Connection> {
    if (!this.#isOn) throw new Error('the network is switched off')
    const connection = await nodeNetwork.connect(...args)
    this.#open.add(connection)
    return connection
  }

  turn(isOn: boolean): void {
    this.#isOn = isOn
    if (isOn) return
    for (const connection of this.#open) connection.destroy()
    this.#open.clear()
  }
}

const codeOf = (error: unknown) => (error instanceof ZooKeeperError ? error.code : error)
const refusal = (promise: Promise<unknown>) => promise.then(() => 0, codeOf)

test('znodes are made in every mode, read, changed and removed', async () => {
  await using zk = await ensemble.client()
  await zk.createRecursive('/modes/a', 'x')
  await zk.createRecursive('/modes/a', 'ignored')
  assert.equal((await zk.getData('/modes/a')).data?.toString(), 'x')
  const first = await zk.create('/modes/s-', null, { mode: 'persistent-sequential' })
  const second = await zk.create('/modes/s-', null, { mode: 'ephemeral-sequential' })
  assert.match(first.path, /^\/modes\/s-\d{10}$/)
  assert.ok(second.path > first.path)
  assert.equal(second.stat.ephemeralOwner, zk.sessionId)
  assert.equal((await zk.getData(first.path)).data, null)
  await zk.create('/modes/container', '', { mode: 'container' })
  assert.equal((await zk.getData('/modes/container')).data?.length, 0)
  await zk.create('/modes/ttl', 'x', { ttlMs: 60_000 })
  assert.deepEqual(await zk.getEphemerals('/modes'), [second.path])
  assert.equal(await zk.getAllChildrenNumber('/modes'), 5)
  const stat = await zk.setData('/modes/a', 'y', 0)
  assert.equal(stat.version, 1)
  assert.equal(await refusal(zk.setData('/modes/a', 'z', 0)), errorCode.BADVERSION)
  assert.equal(await refusal(zk.create('/modes/a')), errorCode.NODEEXISTS)
  assert.equal(await refusal(zk.create('/nowhere/a')), errorCode.NONODE)
  assert.equal(await refusal(zk.create(`${second.path}/a`)), errorCode.NOCHILDRENFOREPHEMERALS)
  assert.equal(await refusal(zk.delete('/modes')), errorCode.NOTEMPTY)
  await zk.delete('/modes/a', 1)
  assert.equal(await zk.exists('/modes/a'), null)
})

test('a multi happens wholly or not at all', async () => {
  await using zk = await ensemble.client()
  const results = await zk.multi([
    { op: 'create', path: '/multi', data: 'x' },
    { op: 'create', path: '/multi/s-', mode: 'persistent-sequential' },
    { op: 'setData', path: '/multi', data: 'y', version: 0 },
    { op: 'check', path: '/multi', version: 1 },
    { op: 'delete', path: '/multi/s-0000000000' },
  ])
  assert.deepEqual(
    results.map(({ path, stat }) => [path, stat?.version]),
    [
      ['/multi', 0],
      ['/multi/s-0000000000', 0],
      ['/multi', 1],
      ['/multi', undefined],
      ['/multi/s-0000000000', undefined],
    ],
  )
  const failed = zk.multi([
    { op: 'setData', path: '/multi', data: 'z' },
    { op: 'check', path: '/multi', version: 7 },
    { op: 'delete', path: '/multi' },
  ])
  await assert.rejects(failed, (error: MultiError) => {
    assert.deepEqual(error.errors, [errorCode.OK, errorCode.BADVERSION, errorCode.RUNTIMEINCONSISTENCY])
    return error instanceof MultiError && error.failedIndex === 1
  })
  assert.equal((await zk.getData('/multi')).data?.toString(), 'y')
  assert.deepEqual(await zk.multi([]), [])
})

test('identities open what an ACL closes', async () => {
  await using owner = await ensemble.client({ auth: [{ scheme: 'digest', auth: 'u:p' }] })
  await using stranger = await ensemble.client()
  await owner.create('/mine', 'x', { acl: [{ perms: 31, id: { scheme: 'auth', id: '' } }] })
  assert.deepEqual((await owner.getAcl('/mine')).acl, [
    { perms: 31, id: { scheme: 'digest', id: 'u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=' } },
  ])
  assert.equal(await refusal(stranger.getData('/mine')), errorCode.NOAUTH)
  assert.equal(
    (await owner.setAcl('/mine', [{ perms: 1, id: { scheme: 'world', id: 'anyone' } }])).aversion,
    1,
  )
  assert.equal((await stranger.getData('/mine')).data?.toString(), 'x')
  await stranger.addAuth('digest', 'v:q')
  assert.deepEqual(
    (await stranger.whoAmI()).filter(({ authScheme }) => authScheme === 'digest'),
    [{ authScheme: 'digest', user: 'v' }],
  )
  assert.equal(await refusal(stranger.addAuth('nonsense', 'x')), errorCode.AUTHFAILED)
  assert.equal(stranger.state, 'auth-failed')
})

test('watches hear of everything once, persistent ones until they are removed', async () => {
  await using zk = await ensemble.client()
  await using other = await ensemble.client()
  await zk.create('/watched')
  const heard: string[] = []
  const as = (who: string) => (event: WatchEvent) => heard.push(`${who} ${event.type} ${event.path}`)
  await zk.getData('/watched', { watch: as('data') })
  await zk.getChildren('/watched', { watch: as('children') })
  await zk.exists('/watched/later', { watch: as('exists') })
  const tree = as('tree')
  await zk.addWatch('/watched', 'persistent-recursive', tree)
  await other.setData('/watched', 'x')
  await other.setData('/watched', 'y')
  await other.create('/watched/later')
  await other.delete('/watched/later')
  await zk.sync()
  assert.deepEqual(heard.sort(), [
    'children NodeChildrenChanged /watched',
    'data NodeDataChanged /watched',
    'exists NodeCreated /watched/later',
    'tree NodeCreated /watched/later',
    'tree NodeDataChanged /watched',
    'tree NodeDataChanged /watched',
    'tree NodeDeleted /watched/later',
  ])
  heard.length = 0
  await zk.removeWatches('/watched', 'any', tree)
  await other.setData('/watched', 'z')
  await zk.sync()
  assert.deepEqual(heard, ['tree PersistentWatchRemoved /watched'])
  assert.equal(await refusal(zk.removeWatches('/watched', 'any')), errorCode.NOWATCHER)
})

test('a client that was cut off keeps its session, and hears of what it missed', async () => {
  const network = new SwitchedNetwork()
  await using zk = await ensemble.client({ network })
  await using other = await ensemble.client()
  await zk.create('/cut', 'x')
  await zk.create('/cut/mine', null, { mode: 'ephemeral' })
  const { sessionId } = zk
  const heard: string[] = []
  const watch = ({ type, path }: WatchEvent) => heard.push(`${type} ${path}`)
  await zk.getData('/cut', { watch })
  await zk.getChildren('/cut', { watch })
  await zk.exists('/cut/new', { watch })
  await zk.exists('/cut/never', { watch })
  network.turn(false)
  await until(
    () => zk.state === 'connecting',
    () => 'the client has not noticed',
  )
  await other.setData('/cut', 'y')
  await other.create('/cut/new')
  network.turn(true)
  await zk.connected(10_000)
  await zk.sync()
  assert.equal(zk.sessionId, sessionId)
  assert.deepEqual(heard.sort(), ['NodeChildrenChanged /cut', 'NodeCreated /cut/new', 'NodeDataChanged /cut'])
  assert.ok(await other.exists('/cut/mine'))
  await other.create('/cut/never')
  await zk.sync()
  assert.equal(heard.at(-1), 'NodeCreated /cut/never')
})

test('another client that knows a session goes on with it, and can end it', async () => {
  const network = new SwitchedNetwork()
  await using first = await ensemble.client({ network })
  await using watcher = await ensemble.client()
  await first.create('/handed-on', null, { mode: 'ephemeral' })
  network.turn(false)
  const second = await ensemble.client({ session: first.session! })
  assert.equal(second.sessionId, first.sessionId)
  assert.ok(await second.exists('/handed-on'))
  await second.close()
  assert.equal(await watcher.exists('/handed-on'), null)
  await assert.rejects(ensemble.client({ session: first.session! }), { code: errorCode.SESSIONEXPIRED })
})

test('a client that was cut off too long has expired, and its ephemeral znodes are gone', async () => {
  const network = new SwitchedNetwork()
  const zk = await ensemble.client({ network, sessionTimeoutMs: 1_000 })
  await using other = await ensemble.client()
  await zk.create('/short', null, { mode: 'ephemeral' })
  const gone = new Promise<WatchEvent>(resolve => void other.exists('/short', { watch: resolve }))
  network.turn(false)
  assert.equal((await gone).type, 'NodeDeleted')
  network.turn(true)
  await until(
    () => zk.state === 'expired',
    () => `state is ${zk.state}`,
  )
  assert.equal(await refusal(zk.getData('/')), errorCode.SESSIONEXPIRED)
})

test('closing removes ephemeral znodes at once', async () => {
  await using other = await ensemble.client()
  const zk = await ensemble.client()
  await zk.create('/closing', null, { mode: 'ephemeral' })
  await zk.close()
  await other.sync()
  assert.equal(await other.exists('/closing'), null)
})

test('a chroot looks like the root', async () => {
  await using whole = await ensemble.client()
  await whole.createRecursive('/app/one')
  await using zk = await ensemble.client({ chroot: '/app/one' })
  const heard: string[] = []
  await zk.getChildren('/', { watch: ({ path }) => heard.push(path) })
  await zk.create('/x', null, { mode: 'ephemeral' })
  assert.deepEqual((await zk.getChildren('/')).children, ['x'])
  assert.deepEqual(await zk.getEphemerals(), ['/x'])
  assert.deepEqual(heard, ['/'])
  assert.ok(await whole.exists('/app/one/x'))
})

test('ten thousand requests are under way at once, and answered in order', async () => {
  await using zk = await ensemble.client()
  await zk.create('/many')
  const order: number[] = []
  const writes = Array.from({ length: 2_000 }, (_, i) =>
    zk.setData('/many', String(i)).then(() => order.push(i)),
  )
  const reads = Array.from({ length: 8_000 }, () => zk.getData('/many'))
  await Promise.all(writes)
  assert.deepEqual(
    order,
    order.map((_, i) => i),
  )
  for (const { data } of await Promise.all(reads)) assert.equal(data?.toString(), '1999')
})

test('what is too long for the server is lost, not the client', async () => {
  await using zk = await ensemble.client()
  assert.equal(await refusal(zk.create('/long', 'x'.repeat(1_100_000))), errorCode.CONNECTIONLOSS)
  await zk.create('/long', 'x'.repeat(1_000_000))
  assert.equal((await zk.getData('/long')).data?.length, 1_000_000)
})

test('a four-letter word is answered whole, or refused in bounded time and size', async () => {
  const address = { host: '127.0.0.1', port: ensemble.ports[0]! }
  const options = { network: nodeNetwork, clock: nodeClock, timeoutMs: 5_000 }
  assert.equal(await fourLetterWord(address, 'ruok', options), 'imok')
  assert.match(await fourLetterWord(address, 'mntr', options), /^zk_server_state\tstandalone$/m)
  await assert.rejects(fourLetterWord(address, 'mntr', { ...options, maxBytes: 100 }), /more than 100 bytes/)
  const silent = await nodeNetwork.listen({ host: '127.0.0.1', port: 0 }, () => {})
  await assert.rejects(
    fourLetterWord(silent.address, 'ruok', { ...options, timeoutMs: 50 }),
    /has not answered ruok/,
  )
  await silent.close()
  await assert.rejects(fourLetterWord(address, 'ruok!', options), /not a word of four letters/)
})

test('sessions, watches and acknowledged writes outlive the leader', async () => {
  await using three = await TestEnsemble.start(3)
  await using zk = await three.client()
  await zk.create('/kept')
  await zk.create('/kept/session', null, { mode: 'ephemeral' })
  const { sessionId } = zk
  const acknowledged: string[] = []
  const clients: ZooKeeper[] = []
  for (let i = 0; i < 3; i++) clients.push(await three.client())
  let isOver = false
  let answeredCount = 0
  const write = async (client: ZooKeeper, name: string) => {
    for (let i = 0; !isOver; i++) {
      const outcome = await refusal(client.create(`/kept/${name}-${i}`))
      if (outcome === 0) acknowledged.push(`${name}-${i}`)
      else assert.equal(outcome, errorCode.CONNECTIONLOSS)
      answeredCount++
    }
  }
  const writers = clients.map((client, i) => write(client, `w${i}`))
  const progress = async () => {
    const target = acknowledged.length + 50
    await until(
      () => acknowledged.length > target,
      () => `${acknowledged.length} writes acknowledged, ${answeredCount} answered`,
    )
  }
  await progress()
  await three.kill(await three.leader())
  await progress()
  isOver = true
  await Promise.all(writers)
  await zk.sync()
  const { children } = await zk.getChildren('/kept')
  const there = new Set(children)
  assert.deepEqual(
    acknowledged.filter(name => !there.has(name)),
    [],
  )
  assert.equal(zk.sessionId, sessionId)
  assert.ok(there.has('session'))
  await Promise.all(clients.map(client => client.close()))
})
