import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Acl,
  createRequest,
  decode,
  encode,
  getAclRequest,
  getAclResponse,
  opCode,
  openAcl,
  permission,
  setAclRequest,
} from '@vivarium/zookeeper-protocol'
import { startServer } from './embedded-server.ts'
import { WireClient } from './wire-client.ts'

const entry = (perms: number, scheme: string, id: string): Acl => ({ perms, id: { scheme, id } })
const upDigest = 'u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ='

async function createWith(client: WireClient, path: string, acl: Acl[]): Promise<number> {
  return (await client.call(opCode.create, encode(createRequest, { path, data: null, acl, flags: 0 }))).err
}

async function aclOf(client: WireClient, path: string): Promise<Acl[] | number> {
  const { err, body } = await client.call(opCode.getACL, encode(getAclRequest, { path }))
  return err === 0 ? decode(getAclResponse, body).acl : err
}

test('who authenticates with a digest may do what the digest’s entry says', async () => {
  await using zookeeper = await startServer()
  await using owner = await WireClient.connect(zookeeper.port)
  await using stranger = await WireClient.connect(zookeeper.port)
  assert.equal(await owner.authenticate('digest', 'u:p'), 0)
  assert.equal(await createWith(owner, '/n', [entry(permission.ALL, 'auth', '')]), 0)
  assert.deepEqual(await aclOf(owner, '/n'), [entry(31, 'digest', upDigest)])
  // As kazoo sends it.
  assert.equal(
    await createWith(owner, '/m', [{ perms: permission.ALL, id: { scheme: 'auth', id: null } }]),
    0,
  )
  assert.deepEqual(await aclOf(owner, '/m'), [entry(31, 'digest', upDigest)])
  assert.equal((await stranger.get('/n')).err, -102)
  assert.equal((await stranger.set('/n', 'x')).err, -102)
  assert.equal(await stranger.create('/n/c'), -102)
  assert.equal((await stranger.exists('/n')).err, -102)
  assert.equal(await aclOf(stranger, '/n'), -102)
  assert.equal(await stranger.delete('/n'), 0)
})

test('permission to delete is asked of the parent', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  await createWith(client, '/p', [entry(permission.READ | permission.CREATE, 'world', 'anyone')])
  assert.equal(await client.create('/p/c'), '/p/c')
  assert.equal(await client.delete('/p/c'), -102)
})

test('who may read but not administer sees digests without their hash', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  await createWith(client, '/n', [entry(permission.READ, 'world', 'anyone'), entry(31, 'digest', upDigest)])
  assert.deepEqual(await aclOf(client, '/n'), [entry(1, 'world', 'anyone'), entry(31, 'digest', 'u:x')])
  await client.authenticate('digest', 'u:p')
  assert.deepEqual(await aclOf(client, '/n'), [entry(1, 'world', 'anyone'), entry(31, 'digest', upDigest)])
})

test('ACLs that mean nothing are refused, duplicates are dropped', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  const refused: Acl[][] = [
    [],
    [entry(31, 'world', 'someone')],
    [entry(31, 'digest', 'nohash')],
    [entry(31, 'digest', 'a:b:c')],
    [entry(31, 'ip', '300.1.1.1')],
    [entry(31, 'ip', '10.0.0.0/33')],
    [entry(31, 'unheard', 'of')],
    [entry(31, 'auth', '')],
    [{ perms: 31, id: { scheme: null, id: null } }],
  ]
  for (const acl of refused) assert.equal(await createWith(client, '/n', acl), -114, JSON.stringify(acl))
  assert.equal(await createWith(client, '/n', [...openAcl, ...openAcl]), 0)
  assert.deepEqual(await aclOf(client, '/n'), [...openAcl])
})

test('addresses and ranges of addresses match', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  const check = async (range: string, expected: number) => {
    const path = `/${range.replaceAll(/\W/g, '-')}`
    assert.equal(await createWith(client, path, [entry(permission.READ, 'ip', range)]), 0)
    assert.equal((await client.get(path)).err, expected, range)
  }
  await check('127.0.0.1', 0)
  await check('127.0.0.0/8', 0)
  await check('127.0.0.2', -102)
  await check('0.0.0.0/0', 0)
  await check('10.0.0.0/8', -102)
  await check('::1', -102)
})

test('setACL needs ADMIN and the right version, and changes nothing but the ACL', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  await client.create('/n')
  const before = (await client.exists('/n')).stat!
  const change = async (acl: Acl[], version: number) =>
    (await client.call(opCode.setACL, encode(setAclRequest, { path: '/n', acl, version }))).err
  const readOnly = [entry(permission.READ, 'world', 'anyone')]
  assert.equal(await change(readOnly, 3), -103)
  assert.equal(await change(readOnly, 0), 0)
  assert.deepEqual((await client.exists('/n')).stat, { ...before, aversion: 1 })
  assert.equal(await change([...openAcl], -1), -102)
})

test('a failed authentication ends the connection', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  assert.equal(await client.authenticate('kerberos', 'x'), -115)
  await client.closed()
})

test('the super user passes every check; skipACL lets everyone pass', async () => {
  const config = { 'DigestAuthenticationProvider.superDigest': upDigest }
  await using zookeeper = await startServer({ config })
  await using client = await WireClient.connect(zookeeper.port)
  await createWith(client, '/n', [entry(permission.READ, 'ip', '10.0.0.1')])
  assert.equal((await client.set('/n', 'x')).err, -102)
  await client.authenticate('digest', 'u:p')
  assert.equal((await client.set('/n', 'x')).err, 0)
  await using lax = await startServer({ config: { skipACL: 'yes' } })
  await using anyone = await WireClient.connect(lax.port)
  await createWith(anyone, '/n', [entry(permission.READ, 'ip', '10.0.0.1')])
  assert.equal((await anyone.set('/n', 'x')).err, 0)
})
