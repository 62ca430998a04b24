import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addWatchMode, createMode, opCode } from '@vivarium/zookeeper-protocol'
import { startServer } from './embedded-server.ts'
import { fourLetterWord, WireClient } from './wire-client.ts'

test('srvr alone is answered unless others are allowed', async () => {
  await using zookeeper = await startServer({ config: { '4lw.commands.whitelist': 'ruok' } })
  assert.equal(await fourLetterWord(zookeeper.port, 'ruok'), 'imok')
  assert.match(await fourLetterWord(zookeeper.port, 'srvr'), /^Zookeeper version: 3\.9/)
  assert.equal(
    await fourLetterWord(zookeeper.port, 'mntr'),
    'mntr is not executed because it is not in the whitelist.\n',
  )
  // Not a word: the length of a frame, and far too long.
  assert.equal(await fourLetterWord(zookeeper.port, 'what'), '')
})

test('srvr and stat have the lines that parsers look for', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  await client.create('/n')
  const srvr = await fourLetterWord(zookeeper.port, 'srvr')
  assert.match(
    srvr,
    /^Zookeeper version: .+, built on .+ UTC\nLatency min\/avg\/max: \d+\/\d+\.\d+\/\d+\nReceived: \d+\nSent: \d+\nConnections: 2\nOutstanding: 0\nZxid: 0x2\nMode: standalone\nNode count: 6\n$/,
  )
  const stat = await fourLetterWord(zookeeper.port, 'stat')
  assert.match(
    stat,
    /^Zookeeper version: .+\nClients:\n( \/127\.0\.0\.1:\d+\[[01]\]\(queued=0,recved=\d+,sent=\d+\)\n){2}\nLatency min/,
  )
})

test('mntr tells what is so', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  await client.create('/n', 'abc')
  await client.create('/e', '', createMode.EPHEMERAL)
  await client.get('/n', true)
  await client.addWatch('/n', addWatchMode.persistent)
  const rows = new Map(
    (await fourLetterWord(zookeeper.port, 'mntr'))
      .trimEnd()
      .split('\n')
      .map(line => line.split('\t') as [string, string]),
  )
  assert.deepEqual([...rows.keys()].slice(0, 2), ['zk_version', 'zk_server_state'])
  const expected: Record<string, string> = {
    zk_server_state: 'standalone',
    zk_num_alive_connections: '2',
    zk_znode_count: '7',
    zk_ephemerals_count: '1',
    zk_watch_count: '2',
    zk_global_sessions: '1',
    zk_outstanding_requests: '0',
    zk_digest_mismatches_count: '0',
    zk_stale_sessions_expired: '0',
    zk_approximate_data_size: String(1 + 10 + 16 + 17 + 2 + 3 + 2),
  }
  for (const [key, value] of Object.entries(expected)) assert.equal(rows.get(key), value, key)
  for (const key of ['zk_open_file_descriptor_count', 'zk_uptime', 'zk_packets_received', 'zk_cnt_fsynctime'])
    assert.ok(Number(rows.get(key)) > 0, `${key}=${rows.get(key)}`)
  assert.match(rows.get('zk_avg_latency')!, /^\d+\.\d{1,4}$/)
  assert.ok([...rows.keys()].every(key => key.startsWith('zk_')))
})

test('conf, cons, dump and wchs have Apache’s form', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  await client.create('/e', '', createMode.EPHEMERAL)
  await client.get('/e', true)
  const hex = client.sessionId.toString(16)
  const conf = await fourLetterWord(zookeeper.port, 'conf')
  assert.deepEqual(
    conf
      .trimEnd()
      .split('\n')
      .map(line => line.split('=')[0]),
    'clientPort secureClientPort dataDir dataDirSize dataLogDir dataLogSize tickTime maxClientCnxns minSessionTimeout maxSessionTimeout clientPortListenBacklog serverId'.split(
      ' ',
    ),
  )
  assert.match(
    await fourLetterWord(zookeeper.port, 'cons'),
    new RegExp(
      `^ /127\\.0\\.0\\.1:\\d+\\[1\\]\\(queued=0,recved=3,sent=3,sid=0x${hex},lop=GETD,est=\\d+,to=10000,lcxid=0x2,lzxid=0x2,lresp=\\d+,llat=\\d+,minlat=\\d+,avglat=\\d+,maxlat=\\d+\\)\n`,
      'm',
    ),
  )
  const dump = await fourLetterWord(zookeeper.port, 'dump')
  assert.match(dump, /^SessionTracker dump:\nSession Sets \(1\)\/\(1\):\n1 expire at .+:\n\t0x/)
  assert.ok(dump.includes(`ephemeral nodes dump:\nSessions with Ephemerals (1):\n0x${hex}:\n\t/e\n`))
  assert.equal(
    await fourLetterWord(zookeeper.port, 'wchs'),
    '1 connections watching 1 paths\nTotal watches:1\n',
  )
  assert.equal(await fourLetterWord(zookeeper.port, 'wchc'), `0x${hex}\n\t/e\n\n`)
  assert.equal(await fourLetterWord(zookeeper.port, 'wchp'), `/e\n\t0x${hex}\n\n`)
  assert.equal(await fourLetterWord(zookeeper.port, 'isro'), 'rw')
  assert.equal(await fourLetterWord(zookeeper.port, 'srst'), 'Server stats reset.\n')
  assert.match(await fourLetterWord(zookeeper.port, 'srvr'), /Received: 0\nSent: 0\n/)
  assert.equal((await client.call(opCode.ping, Buffer.alloc(0), -2)).err, 0)
})

test('connections past maxClientCnxns of one address are closed, the others go on', async () => {
  await using zookeeper = await startServer({ config: { maxClientCnxns: 3 } })
  const clients = []
  for (let i = 0; i < 3; i++) clients.push(await WireClient.connect(zookeeper.port))
  const refused = await WireClient.open(zookeeper.port)
  await refused.closed()
  assert.ok(zookeeper.lines.some(line => line.includes('Too many connections from /127.0.0.1 - max is 3')))
  for (const client of clients) assert.equal((await client.exists('/')).err, 0)
  await clients[0]!.closeSession()
  await clients[0]!.closed()
  await using next = await WireClient.connect(zookeeper.port)
  assert.equal((await next.exists('/')).err, 0)
  for (const client of clients) client.socket.destroy()
})
