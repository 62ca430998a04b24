import { apis } from '@vivarium/kafka-protocol'
import { connect } from '../kafka-tools/client-properties.ts'
import { tool } from '../kafka-tools/tool.ts'

const spec = {
  name: 'kafka-broker-api-versions',
  about: 'Print which requests each broker understands, and in which versions.',
  options: {
    'bootstrap-server': { argument: '<host:port,…>', about: 'Brokers to connect to.' },
    'command-config': { argument: '<file>', about: 'Properties of the client.' },
  },
  examples: [
    'kafka-broker-api-versions.sh --bootstrap-server 127.0.0.1:9092',
    'kafka-broker-api-versions.sh --bootstrap-server 127.0.0.1:9092 | grep Fetch',
    'kafka-broker-api-versions.sh --bootstrap-server 127.0.0.1:9092 --command-config client.properties',
  ],
} as const

/** Apache's kafka-broker-api-versions. */
export const run = tool(spec, async (options, io) => {
  const cluster = await connect(options.required('bootstrap-server'), options.value('command-config'), io)
  try {
    const { brokers } = await cluster.metadata([])
    for (const { nodeId, host, port, rack } of brokers.sort((a, b) => a.nodeId - b.nodeId)) {
      const { versions } = await cluster.connection(nodeId)
      const keys = new Set([...apis.keys(), ...versions.keys()])
      const lines = [...keys].sort((a, b) => a - b).map(key => `\t${line(key, versions.get(key))}`)
      io.stdout.write(`${host}:${port} (id: ${nodeId} rack: ${rack}) -> (\n${lines.join(',\n')}\n)\n`)
    }
    return 0
  } finally {
    await cluster.close()
  }
})

/** `Fetch(1): 0 to 17 [usable: 17]`; usable is the newest version both sides know. */
function line(key: number, theirs: readonly [number, number] | undefined): string {
  const ours = apis.get(key)
  const name = `${ours?.name ?? 'UNKNOWN'}(${key})`
  if (theirs === undefined) return `${name}: UNSUPPORTED`
  const [low, high] = theirs
  const range = low === high ? `${low}` : `${low} to ${high}`
  const usable = Math.min(high, ours?.versions[1] ?? -1)
  const isUsable = ours !== undefined && usable >= Math.max(low, ours.versions[0])
  return `${name}: ${range} [${isUsable ? `usable: ${usable}` : 'unusable: node too new'}]`
}
