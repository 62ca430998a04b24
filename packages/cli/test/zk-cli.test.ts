// Apache's zkCli, as scripts and people see it: what is printed where, and the exit code.
import assert from 'node:assert/strict'
import { PassThrough, Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import { TestEnsemble } from '../../zookeeper-client/test/ensemble.ts'
import { run } from '../src/commands/zk-cli.ts'
import { hexDump, javaDate, parseAcl } from '../src/zk-shell/format.ts'
import { parseArguments, splitLine } from '../src/zk-shell/options.ts'
import { Shell } from '../src/zk-shell/shell.ts'

let ensemble: TestEnsemble
before(async () => {
  ensemble = await TestEnsemble.start(1)
})
after(() => ensemble[Symbol.asyncDispose]())

function collector(): { stream: PassThrough; text: () => string } {
  const stream = new PassThrough()
  let text = ''
  stream.on('data', chunk => {
    text += chunk
  })
  return { stream, text: () => text }
}

async function zkCli(words: string[], input = '') {
  const [stdout, stderr] = [collector(), collector()]
  const io = { stdin: Readable.from([input]), stdout: stdout.stream, stderr: stderr.stream, isTty: false }
  const code = await run(words, io)
  return { code, out: stdout.text(), err: stderr.text() }
}

/** One command, without the lines every call begins with. */
async function one(...words: string[]) {
  const { code, out, err } = await zkCli(['-server', ensemble.connect, ...words])
  const preamble = `Connecting to ${ensemble.connect}\n\nWATCHER::\n\nWatchedEvent state:SyncConnected type:None path:null zxid: -1\n`
  assert.ok(out.startsWith(preamble), out)
  return { code, out: out.slice(preamble.length), err }
}

test('one command prints its result, complains on standard error, and says by its exit code how it went', async () => {
  assert.deepEqual(await one('create', '/one', 'hello'), { code: 0, out: '', err: 'Created /one\n' })
  assert.deepEqual(await one('get', '/one'), { code: 0, out: 'hello\n', err: '' })
  assert.deepEqual(await one('create', '/one'), { code: 1, out: '', err: 'Node already exists: /one\n' })
  assert.deepEqual(await one('create', '/one/null'), { code: 0, out: '', err: 'Created /one/null\n' })
  assert.deepEqual(await one('get', '/one/null'), { code: 0, out: 'null\n', err: '' })
  assert.deepEqual(await one('delete', '/one'), { code: 1, out: '', err: 'Node not empty: /one\n' })
  assert.deepEqual(await one('set', '-v', '7', '/one', 'x'), {
    code: 1,
    out: '',
    err: 'version No is not valid : /one\n',
  })
  assert.deepEqual(await one('get', '/nope'), { code: 1, out: '', err: 'Node does not exist: /nope\n' })
  assert.deepEqual(await one('get', 'nope'), { code: 1, out: '', err: 'Path must start with / character\n' })
  const unknown = await zkCli(['-server', ensemble.connect, 'frobnicate'])
  assert.equal(unknown.code, 127)
  assert.match(unknown.err, /Command not found: Command not found frobnicate\n$/)
})

test('a stat is printed in Apache’s eleven lines', async () => {
  await one('create', '/stat', 'xyz')
  const { out } = await one('stat', '/stat')
  const date = String.raw`\w{3} \w{3} \d\d \d\d:\d\d:\d\d \S+ \d{4}`
  assert.match(
    out,
    new RegExp(
      `^cZxid = 0x[0-9a-f]+\nctime = ${date}\nmZxid = 0x[0-9a-f]+\nmtime = ${date}\npZxid = 0x[0-9a-f]+\n` +
        'cversion = 0\ndataVersion = 0\naclVersion = 0\nephemeralOwner = 0x0\ndataLength = 3\nnumChildren = 0\n$',
    ),
  )
  assert.equal((await one('get', '-s', '/stat')).out.replace(/^xyz\n/, ''), out)
})

test('lines of a pipe run one after another, each behind its prompt', async () => {
  const lines = [
    'create /pipe x',
    'ls -w /pipe',
    'create /pipe/b',
    'create -e /pipe/a "two words"',
    'get /pipe/a',
    'ls /pipe',
    'redo 5',
    'history',
    'delete /pipe/nope',
  ]
  const { code, out, err } = await zkCli(['-server', ensemble.connect], `${lines.join('\n')}\n`)
  assert.equal(code, 1, 'the exit code is the last command’s')
  const prompt = (n: number) => `[zk: ${ensemble.connect}(CONNECTED) ${n}] `
  const transcript = out.slice(out.indexOf(prompt(0))).replace(/zxid: \d+/, 'zxid: N')
  assert.equal(
    transcript,
    [
      `${prompt(0)}create /pipe x`,
      `${prompt(1)}ls -w /pipe`,
      '[]',
      `${prompt(2)}create /pipe/b`,
      '\nWATCHER::\n\nWatchedEvent state:SyncConnected type:NodeChildrenChanged path:/pipe zxid: N',
      `${prompt(3)}create -e /pipe/a "two words"`,
      `${prompt(4)}get /pipe/a`,
      'two words',
      `${prompt(5)}ls /pipe`,
      '[a, b]',
      `${prompt(6)}redo 5`,
      '[a, b]',
      `${prompt(7)}history`,
      '0 - create /pipe x',
      '1 - ls -w /pipe',
      '2 - create /pipe/b',
      '3 - create -e /pipe/a two words',
      '4 - get /pipe/a',
      '5 - ls /pipe',
      '6 - ls /pipe',
      '7 - history',
      `${prompt(8)}delete /pipe/nope`,
      '',
    ].join('\n'),
  )
  assert.equal(err, 'Created /pipe\nCreated /pipe/b\nCreated /pipe/a\nNode does not exist: /pipe/nope\n')
})

test('close, connect and quit change sessions; ephemeral znodes go with theirs', async () => {
  const { out, code } = await zkCli(
    ['-server', ensemble.connect],
    'create -e /brief x\nclose\nls /\nconnect\nstat /brief\nquit\nls /never\n',
  )
  assert.match(out, /\(CLOSED\) 2\] ls \/\nNot connected\n/)
  assert.match(out, /WatchedEvent state:Closed type:None path:null zxid: -1/)
  assert.doesNotMatch(out, /never/)
  assert.equal(code, 0)
})

test('a subtree is listed parents first, and removed children first, however large', async () => {
  await using zk = await ensemble.client()
  await zk.createRecursive('/tree/a/b/c')
  await zk.createRecursive('/tree/a-b')
  assert.equal((await one('ls', '-R', '/tree')).out, '/tree\n/tree/a\n/tree/a/b\n/tree/a/b/c\n/tree/a-b\n')
  await Promise.all(Array.from({ length: 1_200 }, (_, i) => zk.create(`/tree/a/n${i}`)))
  assert.equal((await one('getAllChildrenNumber', '/tree')).out, '1204\n')
  assert.deepEqual(await one('deleteall', '/tree'), { code: 0, out: '', err: '' })
  assert.equal(await zk.exists('/tree'), null)
  assert.equal((await one('deleteall', '/tree')).err, 'Node does not exist: /tree\n')
})

test('rights are given, printed and refused', async () => {
  const lines = [
    'create /rights x digest:u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=:cdrwa,world:anyone:r',
    'set /rights y',
    'addauth digest u:p',
    'whoami',
    'set /rights z',
    'getAcl /rights',
    'setAcl /rights world:anyone:nonsense',
    'setAcl /rights world',
  ]
  const { out, err } = await zkCli(['-server', ensemble.connect], lines.join('\n'))
  assert.match(out, /Auth scheme: User\nip: 127\.0\.0\.1\ndigest: u\n/)
  assert.match(out, /'digest,'u:Jq7wMyA\/w2Vd5WIDAKdu4OIIFEQ=\n: cdrwa\n'world,'anyone\n: r\n/)
  assert.equal(
    err,
    'Created /rights\nInsufficient permission : /rights\nUnknown perm type: n\nworld does not have the form scheme:id:perm\n',
  )
})

test('watches are added and removed', async () => {
  const { out, err } = await zkCli(
    ['-server', ensemble.connect],
    'create /w\naddWatch /w\ncreate /w/x\nremovewatches /w\ncreate /w/y\nremovewatches /w\n',
  )
  assert.match(out, /type:NodeCreated path:\/w\/x zxid: \d+/)
  assert.match(out, /type:PersistentWatchRemoved path:\/w zxid: -1/)
  assert.doesNotMatch(out, /path:\/w\/y/)
  assert.match(err, /KeeperErrorCode = No such watcher for \/w\n$/)
})

test('wrong usage is answered with the right one', async () => {
  assert.equal((await one('create')).err, 'create [-s] [-e] [-c] [-t ttl] path [data] [acl]\n')
  assert.match((await one('ls', '-z', '/')).err, /^Unrecognized option: -z\nls /)
  assert.match((await one('set', '/a', 'x', '-v', 'one')).err, /^-v takes a whole number, not one\n/)
  assert.equal((await zkCli(['-nonsense'])).code, 2)
  assert.equal((await zkCli(['-server', 'a:b:c', 'ls', '/'])).code, 2)
  assert.match((await zkCli(['-client-configuration', 'x'])).err, /no TLS/)
  const help = await zkCli(['--help'])
  assert.equal(help.code, 0)
  assert.match(help.out, /^Usage: zkCli\.sh/)
})

test('a server that is not there is named, in bounded time', async () => {
  const { code, err } = await zkCli(['-server', '127.0.0.1:1', '-timeout', '1500', 'ls', '/'])
  assert.equal(code, 1)
  assert.match(err, /^KeeperErrorCode = ConnectionLoss \(127\.0\.0\.1:1: .*ECONNREFUSED/)
})

test('tab completes commands, options and paths', async () => {
  await using zk = await ensemble.client()
  await zk.createRecursive('/complete/me')
  const [stdout, stderr] = [collector(), collector()]
  const io = { stdin: Readable.from([]), stdout: stdout.stream, stderr: stderr.stream, isTty: false }
  const shell = new Shell({ server: ensemble.connect, sessionTimeoutMs: 8_000, readOnly: false }, io)
  shell.connect()
  await shell.connected(10_000)
  assert.deepEqual(await shell.complete('getA'), [['getAcl ', 'getAllChildrenNumber '], 'getA'])
  assert.deepEqual(await shell.complete('ls -'), [['-s', '-w', '-R'], '-'])
  assert.deepEqual(await shell.complete('ls /compl'), [['/complete'], '/compl'])
  assert.deepEqual(await shell.complete('get -s /complete/'), [['/complete/me'], '/complete/'])
  assert.deepEqual(await shell.complete('ls /nope/x'), [[], '/nope/x'])
  await shell.finish()
})

test('words are cut at blanks unless quoted; options may stand anywhere', () => {
  assert.deepEqual(splitLine(`  create /a "b c"  'd e' {"f":1} `), ['create', '/a', 'b c', 'd e', '{"f":1}'])
  const args = parseArguments(['/p', '-sw', '-5', '-v', '3', '--', '-x'], {
    switches: ['s', 'w'],
    values: ['v'],
  })
  assert.deepEqual([...args.switches], ['s', 'w'])
  assert.deepEqual([...args.values], [['v', '3']])
  assert.deepEqual(args.words, ['/p', '-5', '-x'])
})

test('dates, ACLs and bytes look as Apache prints them', () => {
  assert.match(javaDate(0n), /^(Thu Jan 01|Wed Dec 31) \d\d:\d\d:00 \S+ (1970|1969)$/)
  assert.deepEqual(parseAcl('digest:u:hash=:rw,ip:10.0.0.0/8:c'), [
    { perms: 3, id: { scheme: 'digest', id: 'u:hash=' } },
    { perms: 4, id: { scheme: 'ip', id: '10.0.0.0/8' } },
  ])
  assert.equal(
    hexDump(Buffer.from('hello')),
    `         +-------------------------------------------------+
         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |
+--------+-------------------------------------------------+----------------+
|00000000| 68 65 6c 6c 6f                                  |hello           |
+--------+-------------------------------------------------+----------------+`,
  )
})
