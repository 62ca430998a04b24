import assert from 'node:assert/strict'
import { ControllerContext } from '../src/controller/controller-context.ts'
import {
  type ControlRequest,
  type Deciding,
  type Effect,
  type SingleWrite,
  type WriteResult,
  type Znode,
  znodeCode,
} from '../src/controller/effects.ts'
import { type PartitionStateZnode, paths, readPartitionState } from '../src/metadata/zookeeper-layout.ts'

/** Znodes in memory and a list of sent requests: all a decision of the controller can see or do. */
export class World {
  readonly znodes = new Map<string, Znode>()
  sent: ControlRequest[] = []
  readonly notes: string[] = []
  #zxid = 1n
  /** Called before each write; lets somebody else be faster. */
  beforeWrite: ((write: SingleWrite) => void) | null = null

  constructor() {
    for (const path of ['/', '/brokers', paths.brokerIds, paths.topics, '/admin', paths.deleteTopics])
      this.put(path, null)
    for (const path of [paths.isrChanges, paths.logDirEvents, '/config', '/config/topics'])
      this.put(path, null)
  }

  context(options: { epoch?: number; uncleanLeaderElection?: boolean } = {}): ControllerContext {
    let id = 0
    return new ControllerContext({
      controllerId: 1,
      epoch: options.epoch ?? 1,
      settings: {
        uncleanLeaderElection: options.uncleanLeaderElection ?? false,
        deleteTopicEnable: true,
        imbalancePercentage: 10,
        interBrokerListener: 'PLAINTEXT',
      },
      newTopicId: () => `topic-id-${++id}`.padEnd(22, 'A'),
      note: message => this.notes.push(message),
    })
  }

  put(path: string, data: string | null): void {
    const present = this.znodes.get(path)
    this.znodes.set(path, {
      data: data === null ? null : Buffer.from(data),
      version: present === undefined ? 0 : present.version + 1,
      czxid: present?.czxid ?? this.#zxid++,
    })
  }

  broker(id: number): void {
    this.znodes.delete(paths.broker(id))
    this.put(
      paths.broker(id),
      `{"version":5,"endpoints":["PLAINTEXT://host${id}:9092"],"listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT"}}`,
    )
  }

  topic(name: string, partitions: Record<string, number[]>): void {
    this.put(paths.topic(name), JSON.stringify({ version: 1, partitions }))
  }

  state(topic: string, partition: number): PartitionStateZnode | null {
    const znode = this.znodes.get(paths.partitionState(topic, partition))
    return znode === undefined ? null : readPartitionState(topic, partition, znode.data)
  }

  /** Carries a decision out to its end. */
  run<T>(deciding: Deciding<T>): T {
    let step = deciding.next()
    for (let count = 0; step.done !== true; count++) {
      assert.ok(count < 10_000, 'a decision must come to an end')
      step = deciding.next(this.#answer(step.value))
    }
    return step.value
  }

  /** What was sent since the last call, as short texts such as `LeaderAndIsr→2 orders-0 leader=2 isr=2,3`. */
  drain(): string[] {
    const texts = this.sent.map(request => {
      const states = request.body.topicStates.flatMap(({ topicName, partitionStates }) =>
        partitionStates.map(state => {
          const name = `${topicName}-${state.partitionIndex}`
          if ('deletePartition' in state) return `${name}${state.deletePartition ? ' delete' : ''}`
          return `${name} leader=${state.leader} isr=${state.isr.join(',')}`
        }),
      )
      return `${request.api}→${request.broker} ${states.join('; ')}`.trim()
    })
    this.sent = []
    return texts
  }

  #answer(effect: Effect): unknown {
    switch (effect.kind) {
      case 'read':
        return effect.paths.map(path => this.znodes.get(path) ?? null)
      case 'children':
        return this.znodes.has(effect.path) ? this.#children(effect.path) : null
      case 'write':
        return effect.writes.map(write => {
          if (write.op !== 'all') return this.#write(write)
          const results = write.writes.map(one => this.#write(one))
          return results.find(({ code }) => code !== znodeCode.OK) ?? results[0]
        })
      case 'send':
        this.sent.push(...effect.requests)
        return undefined
    }
  }

  #children(path: string): string[] {
    const prefix = `${path}/`
    return [...this.znodes.keys()]
      .filter(other => other.startsWith(prefix) && !other.slice(prefix.length).includes('/'))
      .map(other => other.slice(prefix.length))
  }

  #write(write: SingleWrite): WriteResult {
    this.beforeWrite?.(write)
    const { path } = write
    const present = this.znodes.get(path)
    const refuse = (code: number) => ({ code, version: -1 })
    if (write.op === 'create') {
      if (present !== undefined) return refuse(znodeCode.NODEEXISTS)
      if (!this.znodes.has(path.slice(0, path.lastIndexOf('/')) || '/')) return refuse(znodeCode.NONODE)
      this.put(path, write.data)
      return { code: znodeCode.OK, version: 0 }
    }
    if (present === undefined) return refuse(znodeCode.NONODE)
    if (write.version !== -1 && write.version !== present.version) return refuse(znodeCode.BADVERSION)
    if (write.op === 'delete') {
      assert.deepEqual(this.#children(path), [], `${path} has children and cannot be deleted`)
      this.znodes.delete(path)
      return { code: znodeCode.OK, version: -1 }
    }
    this.put(path, write.data)
    return { code: znodeCode.OK, version: present.version + 1 }
  }
}
