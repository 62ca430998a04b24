import { get } from 'node:http'
import type { Address } from '@vivarium/platform'
import { nodeClock, nodeNetwork } from '@vivarium/platform/node'
import { fourLetterWord } from '@vivarium/zookeeper-client'
import { Cluster } from '../kafka-tools/cluster.ts'
import { latest, offsetsAt, partitionsOf } from '../kafka-tools/offsets.ts'
import type { PlannedProcess } from './plan.ts'

const probeTimeoutMs = 2_000

/** The topic that shows the monitor at work. */
const monitoredTopic = 'zookeeper-logs'

/**
 * Whether the process does its part: a coordination server has a role, a broker knows all `brokers`, the monitor's records
 * can be read through each of them, the dashboard answers.
 */
export async function isReady(process: PlannedProcess, brokers: readonly Address[]): Promise<boolean> {
  const { role, address } = process
  try {
    switch (role) {
      case 'server':
        return (await serverMode(address!)) !== null
      case 'broker':
        return await knowsBrokers(address!, brokers.length)
      case 'monitor':
        return (await Promise.all(brokers.map(hasLogRecords))).every(Boolean)
      case 'dashboard':
        return await answersHttp(address!)
    }
  } catch {
    // Refused or cut off: not yet. The caller decides how long to wait.
    return false
  }
}

/** `leader`, `follower`, `observer` or `standalone`; null while it serves nobody. Rejects when it does not answer. */
export async function serverMode(address: Address): Promise<string | null> {
  const text = await fourLetterWord(address, 'srvr', {
    network: nodeNetwork,
    clock: nodeClock,
    timeoutMs: probeTimeoutMs,
  })
  return /^Mode: (\S+)$/m.exec(text)?.[1] ?? null
}

function knowsBrokers(address: Address, count: number): Promise<boolean> {
  return ask(address, async cluster => {
    const { controllerId, brokers } = await cluster.metadata([])
    return controllerId >= 0 && brokers.length >= count
  })
}

function hasLogRecords(address: Address): Promise<boolean> {
  return ask(address, async cluster => {
    const ends = await offsetsAt(cluster, await partitionsOf(cluster, [monitoredTopic]), latest)
    return [...ends.values()].some(end => end > 0)
  })
}

async function ask<T>({ host, port }: Address, question: (cluster: Cluster) => Promise<T>): Promise<T> {
  const cluster = await Cluster.connect(`${host}:${port}`, {
    clientId: 'vivarium-up',
    requestTimeoutMs: probeTimeoutMs,
    totalTimeoutMs: 0,
  })
  try {
    return await question(cluster)
  } finally {
    await cluster.close()
  }
}

function answersHttp({ host, port }: Address): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const request = get({ host, port, timeout: probeTimeoutMs, agent: false }, response => {
      response.destroy()
      resolve(response.statusCode === 200)
    })
    request.on('timeout', () => request.destroy(new Error(`no answer from ${host}:${port}`)))
    request.on('error', reject)
  })
}
