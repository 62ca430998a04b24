import { isDeepStrictEqual } from 'node:util'
import { randomUuid } from '@vivarium/kafka-protocol'
import { ConfigError, type Log } from '@vivarium/platform'
import type { Broker } from '../broker.ts'
import { SessionFile } from './session-file.ts'
import {
  type Endpoint,
  paths,
  persistentPaths,
  readBroker,
  readClusterId,
  type SecurityProtocol,
  writeBroker,
  writeClusterId,
} from './zookeeper-layout.ts'
import { isCode, type ZooKeeperSession, zooKeeperErrorCode as znode } from './zookeeper-session.ts'

/** Sessions expire on a tick of the ensemble's leader, a little after their time. */
const expiryMarginMs = 6000
const expiryPollMs = 200

/** Makes the znodes every broker expects to find. */
export async function ensureRootPaths(zookeeper: ZooKeeperSession): Promise<void> {
  for (const path of persistentPaths) await zookeeper.ensure(path)
}

/** The cluster's id; the first broker of a cluster gives it one. `randomBytes`: as Random.bytes. */
export async function ensureClusterId(
  zookeeper: ZooKeeperSession,
  randomBytes: (count: number) => Buffer,
): Promise<string> {
  const found = await zookeeper.read(paths.clusterId)
  if (found !== null) return readClusterId(found.data)
  await zookeeper.ensure(paths.clusterId, writeClusterId(randomUuid(randomBytes)))
  // Two first brokers may have met: whoever was first has named it.
  return readClusterId((await zookeeper.getData(paths.clusterId)).data)
}

/** A broker id nobody has had: the count of requests for one, beyond the ids that are given by hand. */
export async function generateBrokerId(zookeeper: ZooKeeperSession, reservedMaxId: number): Promise<number> {
  await zookeeper.ensure(paths.brokerSequence)
  const { version } = await zookeeper.setData(paths.brokerSequence, '')
  return version + reservedMaxId
}

type Surroundings = Pick<Broker, 'id' | 'settings' | 'clock' | 'disk' | 'log' | 'zookeeper'>

/** A broker's entry in `/brokers/ids`: lives as long as its session, and is made again in the next one. */
export class BrokerRegistration {
  readonly #broker: Surroundings
  readonly #log: Log
  readonly #sessionFile: SessionFile
  #epoch = -1
  /** Ports that were asked for as 0, by listener, as they turned out. */
  readonly #ports: ReadonlyMap<string, number>

  /** The broker must hold the lock of its log directories, so that it is the only one that lives off them. */
  constructor(broker: Surroundings, ports: ReadonlyMap<string, number> = new Map()) {
    this.#broker = broker
    this.#log = broker.log.named('kafka.zk.KafkaZkClient')
    this.#sessionFile = new SessionFile(broker.settings.logDirs[0]!, { disk: broker.disk, log: this.#log })
    this.#ports = ports
  }

  /** czxid of the entry; −1 before there is one. */
  get epoch(): number {
    return this.#epoch
  }

  /** Registers, now and after every session expiry. Rejects if another broker has the id. Resolves to the broker epoch. */
  async register(): Promise<number> {
    this.#broker.zookeeper.onSession({
      name: 'The registration',
      onRenewed: async () => {
        await this.#registerOnce()
      },
    })
    return await this.#registerOnce()
  }

  async #registerOnce(): Promise<number> {
    const { zookeeper, id, clock, settings } = this.#broker
    const path = paths.broker(id)
    const data = writeBroker(
      { endpoints: this.#endpoints(), rack: settings.values['broker.rack'], features: {} },
      clock.wallMs(),
    )
    const operations = [
      { op: 'create', path, mode: 'ephemeral' },
      { op: 'setData', path, data, version: 0 },
    ] as const
    const former = await this.#sessionFile.read()
    const own = zookeeper.secret
    if (own !== null) await this.#sessionFile.write(own)
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        const results = await zookeeper.multi(operations)
        this.#epoch = Number(results[1]!.stat!.czxid)
        this.#log.info(`Registered broker ${id} at path ${path} with czxid (broker epoch): ${this.#epoch}`)
        return this.#epoch
      } catch (error) {
        if (!isCode(error, znode.NODEEXISTS)) throw error
        const stat = await zookeeper.exists(path)
        if (stat === null) continue
        if (stat.ephemeralOwner === zookeeper.sessionId) {
          // The request went through before its connection was lost.
          this.#epoch = Number(stat.czxid)
          return this.#epoch
        }
        if (stat.ephemeralOwner === former?.id && (await this.#isAtOwnAddress(path))) {
          this.#log.info(`${path} is of the life this broker was killed in; ending its session`)
          await zookeeper
            .end(former)
            .catch(reason => this.#log.warn('The former session could not be ended', reason))
        }
        if (stat.ephemeralOwner !== zookeeper.earlierSessionId) {
          if (!(await this.#hasGone(path))) throw this.#taken(error)
          continue
        }
        await zookeeper.delete(path).catch(reason => {
          if (!isCode(reason, znode.NONODE)) throw reason
        })
      }
    }
    throw new Error(`${path} keeps coming and going; is another broker with id ${id} starting?`)
  }

  /**
   * Whether the entry names this broker's own addresses, where nobody else can be listening. A copy of the log directory,
   * started elsewhere, must not end the session of the broker it was copied from.
   */
  async #isAtOwnAddress(path: string): Promise<boolean> {
    const { zookeeper, id } = this.#broker
    const entry = await zookeeper.read(path)
    return entry === null || isDeepStrictEqual(readBroker(id, entry.data).endpoints, this.#endpoints())
  }

  /**
   * Waits for the entry of another session to vanish: a broker that was killed and started again at once meets its own last
   * life. One that runs keeps its session, and its entry stays.
   */
  async #hasGone(path: string): Promise<boolean> {
    const { zookeeper, clock, settings } = this.#broker
    if ((await zookeeper.exists(path)) === null) return true
    const waitMs = settings.values['zookeeper.session.timeout.ms']! + expiryMarginMs
    const deadlineMs = clock.monotonicMs() + waitMs
    this.#log.info(`${path} is there already; waiting up to ${waitMs} ms for its session to expire`)
    while ((await zookeeper.exists(path)) !== null) {
      if (clock.monotonicMs() > deadlineMs) return false
      await new Promise<void>(resolve => clock.after(expiryPollMs, resolve))
    }
    return true
  }

  #taken(cause: Error): Error {
    const { id, settings } = this.#broker
    const error = new ConfigError({
      key: 'broker.id',
      value: id,
      where: settings.given.get('broker.id')?.where ?? settings.file,
      problem: `is registered in ZooKeeper already (${paths.broker(id)}): another broker with this id runs`,
      fix: 'give this broker an id of its own, or stop the other one',
    })
    error.cause = cause
    return error
  }

  #endpoints(): Endpoint[] {
    return this.#broker.settings.listeners.map(listener => ({
      listener: listener.name,
      securityProtocol: listener.securityProtocol as SecurityProtocol,
      host: listener.advertisedHost,
      port: listener.advertisedPort === 0 ? (this.#ports.get(listener.name) ?? 0) : listener.advertisedPort,
    }))
  }
}
