import { background, ConfigError, createLog, kafkaLayout, readJvmFlags } from '@vivarium/platform'
import { fileSink, nodeClock, nodeDisk, nodeNetwork, nodeRandom } from '@vivarium/platform/node'
import { KafkaBroker } from './kafka-broker.ts'
import { readSettings } from './settings.ts'

const [configFile, ...rest] = process.argv.slice(2)
const overrides = rest.filter((_, index) => index % 2 === 1)
if (
  configFile === undefined ||
  rest.some((word, index) => index % 2 === 0 && word !== '--override') ||
  rest.length % 2 === 1
) {
  console.error('usage: kafka-server-start.sh [-daemon] server.properties [--override property=value]*')
  process.exit(1)
}

const log = createLog({
  layout: kafkaLayout(),
  sink: fileSink('-'),
  wallMs: nodeClock.wallMs,
  name: 'kafka.Kafka',
})

function die(error: Error): never {
  // For a person who made a mistake, one clear sentence; for a bug, where it happened.
  const isPersons = error instanceof ConfigError || error.name === 'LogDirectoryError'
  log.error(error.message, isPersons ? undefined : error)
  process.exit(1)
}
process.on('uncaughtException', die)

async function main(): Promise<void> {
  const settings = await readSettings(nodeDisk, configFile!, overrides)
  const jvm = readJvmFlags(process.env, ['KAFKA_HEAP_OPTS', 'KAFKA_JVM_PERFORMANCE_OPTS', 'KAFKA_OPTS'])
  settings.warnings.push(...jvm.notes)
  for (const [key, { where }] of jvm.properties) {
    const reason = key.startsWith('java.security')
      ? 'SASL is not served yet'
      : 'a broker is set up by its file alone'
    settings.warnings.push(`${where}: -D${key} has no effect: ${reason}`)
  }
  const world = { clock: nodeClock, random: nodeRandom, disk: nodeDisk, network: nodeNetwork, log }
  const broker = new KafkaBroker(settings, world, error => process.nextTick(die, error))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () =>
      background(
        broker.stop().then(() => process.exit(0)),
        die,
      ),
    )
  }
  await broker.start()
}

background(main(), die)
