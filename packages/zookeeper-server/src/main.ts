import { background, ConfigError, createLog, readJvmFlags, zookeeperLayout } from '@vivarium/platform'
import { fileSink, nodeClock, nodeDisk, nodeNetwork, nodeRandom } from '@vivarium/platform/node'
import { ZooKeeperServer } from './server.ts'
import { readSettings } from './settings.ts'

const [configFile, ...rest] = process.argv.slice(2)
if (configFile === undefined || rest.length > 0) {
  console.error('usage: zookeeper-server-start.sh zoo.cfg')
  process.exit(2)
}

/** Where zkServer.sh and Kafka's scripts take what they pass to the JVM. */
const jvmVariables = [
  'KAFKA_HEAP_OPTS',
  'KAFKA_JVM_PERFORMANCE_OPTS',
  'KAFKA_OPTS',
  'SERVER_JVMFLAGS',
  'JVMFLAGS',
]

let myid = ''
const log = createLog({
  layout: zookeeperLayout(() => myid),
  sink: fileSink('-'),
  wallMs: nodeClock.wallMs,
  name: 'QuorumPeerMain',
})

function die(error: Error): never {
  // For a person who made a mistake, one clear sentence; for a bug, where it happened.
  log.error(error.message, error instanceof ConfigError || error.name === 'DataError' ? undefined : error)
  process.exit(1)
}
process.on('uncaughtException', die)

async function main(): Promise<void> {
  const jvm = readJvmFlags(process.env, jvmVariables)
  const settings = await readSettings(nodeDisk, configFile!, jvm)
  if (settings.quorum !== null) myid = String(settings.quorum.sid)
  const world = { clock: nodeClock, random: nodeRandom, disk: nodeDisk, network: nodeNetwork, log }
  const server = new ZooKeeperServer(settings, world, error => process.nextTick(die, error))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      log.info(`Stopping: ${signal}`)
      background(
        server.stop().then(() => process.exit(0)),
        die,
      )
    })
  }
  await server.start()
}

background(main(), die)
