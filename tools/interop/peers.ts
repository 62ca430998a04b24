import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const folder = fileURLToPath(new URL('../../node_modules/.cache/interop/', import.meta.url))

/** An older server, with what it needs to run. */
function zookeeper(version: string): { what: string; fetch: (into: string) => Promise<void> } {
  return {
    what: `Apache ZooKeeper ${version}`,
    fetch: into =>
      fetchJars(into, [
        `org.apache.zookeeper:zookeeper:${version}`,
        'io.dropwizard.metrics:metrics-core:4.1.12.1',
        'org.xerial.snappy:snappy-java:1.1.10.5',
      ]),
  }
}

/** Where each peer comes from. One that cannot be had is said to be missing; the others are there all the same. */
const sources = {
  'apache-3.9': {
    what: 'Apache Kafka 3.9.1 and ZooKeeper 3.9.3',
    fetch: (into: string) =>
      fetchJars(into, [
        'org.apache.kafka:kafka_2.13:3.9.1',
        'org.apache.kafka:kafka-tools:3.9.1',
        'org.apache.kafka:kafka-clients:3.9.1',
        'org.apache.zookeeper:zookeeper:3.9.3',
        'org.xerial.snappy:snappy-java:1.1.10.5',
        'io.dropwizard.metrics:metrics-core:4.1.12.1',
        'commons-cli:commons-cli:1.5.0',
        'jline:jline:2.14.6',
      ]),
  },
  'apache-4': {
    what: 'the tools of Apache Kafka 4.1.0',
    fetch: (into: string) =>
      fetchJars(into, [
        'org.apache.kafka:kafka-tools:4.1.0',
        'org.apache.kafka:kafka-clients:4.1.0',
        'org.apache.kafka:kafka_2.13:4.1.0',
      ]),
  },
  'zookeeper-3.8': zookeeper('3.8.4'),
  'zookeeper-3.7': zookeeper('3.7.2'),
  'zookeeper-3.6': zookeeper('3.6.4'),
  'zookeeper-3.5': zookeeper('3.5.10'),
  'zookeeper-3.4': zookeeper('3.4.14'),
  curator: {
    what: "Curator's tests",
    fetch: (into: string) =>
      fetchJars(into, [
        'org.apache.curator:curator-recipes:5.9.0',
        'org.apache.curator:curator-recipes:5.9.0:test-jar',
        'org.apache.curator:curator-framework:5.9.0:test-jar',
        'org.apache.curator:curator-test:5.9.0',
        'org.junit.platform:junit-platform-console-standalone:1.6.2',
        'org.assertj:assertj-core:3.23.1',
        'org.awaitility:awaitility:4.1.1',
        'org.mockito:mockito-core:4.11.0',
        'io.dropwizard.metrics:metrics-core:4.1.12.1',
        'org.apache.commons:commons-math:2.2',
        'org.slf4j:slf4j-nop:1.7.36',
      ]),
  },
  python: {
    what: 'kazoo, kafka-python and confluent-kafka',
    fetch: async (into: string) => {
      await need('python3')
      await run('python3', ['-m', 'venv', into])
      // kazoo's tests make certificates in a way that newer pyOpenSSL does not know.
      const packages = [
        'kazoo[test]==2.11.0',
        'pyOpenSSL==23.2.0',
        'kafka-python==3.0.12',
        'confluent-kafka==2.16.1',
      ]
      await run(join(into, 'bin', 'pip'), ['install', '--quiet', ...packages])
    },
  },
  kcat: { what: 'kcat (librdkafka)', fetch: () => needPackage('kcat', () => need('kcat')) },
  'c-client': {
    what: "ZooKeeper's C client",
    fetch: (into: string) =>
      needPackage('libzookeeper-mt-dev', async () => {
        await need('gcc')
        mkdirSync(into, { recursive: true })
        const source = fileURLToPath(new URL('./creator.c', import.meta.url))
        await run('gcc', ['-O1', '-DTHREADED', '-o', join(into, 'creator'), source, '-lzookeeper_mt'])
      }),
  },
}

export type PeerName = keyof typeof sources

export const peerNames = Object.keys(sources) as PeerName[]

/** Fetches a peer unless it is there. Gives the reason for which it cannot be had, or null. */
export async function fetchPeer(name: PeerName): Promise<string | null> {
  if (isCurrent(name)) return null
  const { fetch } = sources[name]
  try {
    rmSync(pathOf(name), { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    await fetch(pathOf(name))
    writeFileSync(stampOf(name), fingerprint(name))
    return null
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string }
    return (stderr?.trim().split('\n').at(-1) ?? '') || message
  }
}

export function whatIs(name: PeerName): string {
  return sources[name].what
}

/** For the option `skip` of a test: false when all these peers are there, else the reason. */
export function without(...names: PeerName[]): string | false {
  const missing = names.filter(name => !isCurrent(name))
  return missing.length > 0 && `not there: ${missing.map(whatIs).join(', ')} (npm run interop says why)`
}

/** A class path for `java`. */
export function classpath(name: PeerName): string {
  return join(pathOf(name), '*')
}

/** A program of a peer. */
export function program(name: PeerName, ...path: string[]): string {
  return join(pathOf(name), ...path)
}

function pathOf(name: PeerName): string {
  return join(folder, name)
}

function stampOf(name: PeerName): string {
  return join(folder, `${name}.fetched`)
}

/** Changes with what would be fetched. */
function fingerprint(name: PeerName): string {
  return `${sources[name].what} ${sources[name].fetch}`
}

function isCurrent(name: PeerName): boolean {
  return existsSync(stampOf(name)) && readFileSync(stampOf(name), 'utf8') === fingerprint(name)
}

async function fetchJars(into: string, artifacts: readonly string[]): Promise<void> {
  await need('java')
  await need('mvn')
  const dependencies = artifacts.map(artifact => {
    const [group, id, version, type = 'jar'] = artifact.split(':')
    return `<dependency><groupId>${group}</groupId><artifactId>${id}</artifactId><version>${version}</version><type>${type}</type></dependency>`
  })
  mkdirSync(into, { recursive: true })
  const pom = join(into, 'pom.xml')
  writeFileSync(
    pom,
    `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>vivarium</groupId><artifactId>interop</artifactId><version>1</version>
<dependencies>${dependencies.join('\n')}</dependencies></project>\n`,
  )
  await run('mvn', ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${into}`])
}

async function need(command: string): Promise<void> {
  try {
    await run('sh', ['-c', `command -v ${command}`])
  } catch {
    throw new Error(`${command} is not installed`)
  }
}

/** Tries; if that fails, installs a package of Debian's, where one may, and tries again. */
async function needPackage(name: string, attempt: () => Promise<void>): Promise<void> {
  try {
    await attempt()
  } catch (error) {
    if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get'))
      throw new Error(`${(error as Error).message.split('\n')[0]}; install the package ${name}`)
    const install = () => run('apt-get', ['install', '-y', '-q', name])
    await install().catch(async () => {
      await run('apt-get', ['update', '-q'])
      await install()
    })
    await attempt()
  }
}
