import { background, ConfigError, createLog, kafkaLayout } from '@vivarium/platform'
import { fileSink, nodeClock, nodeDisk, nodeNetwork } from '@vivarium/platform/node'
import { nodeLogFiles } from './collect/node-log-files.ts'
import { readConfig } from './config.ts'
import { Monitor } from './monitor.ts'

const [configFile, ...rest] = process.argv.slice(2)
if (configFile === undefined || rest.length > 0) {
  console.error('usage: monitor monitor.json')
  process.exit(2)
}

const log = createLog({
  layout: kafkaLayout(),
  sink: fileSink('-'),
  wallMs: nodeClock.wallMs,
  name: 'Monitor',
})

function die(error: Error): never {
  log.error(error.message, error instanceof ConfigError ? undefined : error)
  process.exit(1)
}
process.on('uncaughtException', die)

async function main(): Promise<void> {
  const config = await readConfig(nodeDisk, configFile!)
  const monitor = new Monitor(config, {
    clock: nodeClock,
    disk: nodeDisk,
    network: nodeNetwork,
    log,
    files: nodeLogFiles,
  })
  monitor.onFailure(die)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () =>
      background(
        monitor.stop().then(() => process.exit(0)),
        die,
      ),
    )
  }
  await monitor.start()
}

background(main(), die)
