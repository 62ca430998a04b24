// Makes a fresh clone ready: installs what package-lock.json names, bundles the servers and builds the dashboard, each
// only when it is out of date. Plain JavaScript that runs on Node 20, because it runs before the pinned runtime is there.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
process.chdir(root)

const major = Number(process.versions.node.split('.')[0])
if (major < 20) {
  console.error(`Vivarium needs Node 20 or newer to install itself; this is ${process.version}.`)
  process.exit(1)
}

const runtime = join('node_modules', 'node', 'bin', 'node')
const installStamp = join('node_modules', '.vivarium-installed')
const lock = fingerprint(['package-lock.json'])
if (!isCurrent(installStamp, lock)) {
  console.error('Installing dependencies (once; about half a minute) …')
  run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'])
  if (!existsSync(runtime)) fetchRuntime()
  // Installing may normalise the lock file: the stamp is of what stands there now.
  writeFileSync(installStamp, fingerprint(['package-lock.json']))
}

const web = join('packages', 'dashboard', 'src', 'web')
const bundles = join(root, 'node_modules', '.cache', 'servers')
const bundleStamp = join(bundles, '.bundled-from')
const readAt = new Date()
const serverSources = fingerprint(['tools/bundle.mjs', ...sources()])
if (!isCurrent(bundleStamp, serverSources)) {
  console.error('Preparing the servers (once) …')
  run(runtime, [join('tools', 'bundle.mjs'), bundles])
  compile()
}
// Also when nothing was to be done: bin/runtime.sh takes sources that are newer than this for changed.
writeFileSync(bundleStamp, serverSources)
fs.utimesSync(bundleStamp, readAt, readAt)

if (existsSync(join(web, 'index.html'))) {
  const webStamp = join('packages', 'dashboard', 'dist', 'web', '.built-from')
  const sources = fingerprint(filesBelow(web))
  if (!isCurrent(webStamp, sources)) {
    console.error('Building the dashboard (once) …')
    run(runtime, [join('node_modules', 'vite', 'bin', 'vite.js'), 'build', '--logLevel', 'warn', web])
    writeFileSync(webStamp, sources)
  }
}

/** What the runtime's own install script does, for an npm that runs no such scripts. */
function fetchRuntime() {
  run('node', ['installArchSpecificPackage.js'], { cwd: join('node_modules', 'node') })
  run('npm', ['rebuild', 'node', '--ignore-scripts', '--loglevel=error'])
}

/** Fills the cache that bin/runtime.sh names: a program that need not be compiled starts sooner and stays smaller. */
function compile() {
  const env = { ...process.env, NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'compiled') }
  const imports = ['packages/dashboard/src/index.ts', 'packages/cli/src/commands/up.ts']
  const code = imports.map(path => `await import('./${path}')`).join('\n')
  run(runtime, ['--conditions=source', '--input-type=module', '--eval', code], { env })
  // Without a file to read, a server says how it is used and ends.
  for (const name of fs.readdirSync(bundles).filter(name => name.endsWith('.mjs')))
    spawnSync(runtime, [join(bundles, name)], { env, stdio: 'ignore' })
}

/** Everything but the dashboard's page. */
function sources() {
  const packages = fs.readdirSync('packages').map(name => join('packages', name, 'src'))
  return packages
    .filter(existsSync)
    .flatMap(filesBelow)
    .filter(path => !path.startsWith(web))
}

function isCurrent(stamp, wanted) {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted
}

function fingerprint(files) {
  const hash = createHash('sha256')
  for (const file of files) hash.update(file).update(readFileSync(file))
  return hash.digest('hex')
}

function filesBelow(folder) {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath ?? entry.path, entry.name))
    .sort()
}

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 2, 2], ...options })
  if (status !== 0) {
    console.error(
      `${command} ${args.join(' ')} failed${error ? `: ${error.message}` : ` with exit code ${status}`}`,
    )
    process.exit(1)
  }
}
