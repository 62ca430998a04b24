import { background, ConfigError, createLog, kafkaLayout } from '@vivarium/platform'
import { fileSink, nodeClock, nodeDisk } from '@vivarium/platform/node'
import { readConfig } from './server/config.ts'
import { Dashboard } from './server/dashboard.ts'

const [configFile, ...rest] = process.argv.slice(2)
if (configFile === undefined || rest.length > 0) {
  console.error('usage: dashboard dashboard.json')
  process.exit(2)
}

const log = createLog({
  layout: kafkaLayout(),
  sink: fileSink('-'),
  wallMs: nodeClock.wallMs,
  name: 'Dashboard',
})

function die(error: Error): never {
  log.error(error.message, error instanceof ConfigError ? undefined : error)
  process.exit(1)
}
process.on('uncaughtException', die)

async function main(): Promise<void> {
  const dashboard = new Dashboard(await readConfig(nodeDisk, configFile!), { clock: nodeClock, log })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () =>
      background(
        dashboard.stop().then(() => process.exit(0)),
        die,
      ),
    )
  }
  await dashboard.start()
}

background(main(), die)
