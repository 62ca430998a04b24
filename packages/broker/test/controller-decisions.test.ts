import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorCode } from '@vivarium/kafka-protocol'
import { alterPartitions } from '../src/controller/alter-partition.ts'
import { brokersChanged } from '../src/controller/broker-changes.ts'
import { shutDownBroker } from '../src/controller/controlled-shutdown.ts'
import type { ControllerContext } from '../src/controller/controller-context.ts'
import { electUnclean } from '../src/controller/elections.ts'
import { takeOver } from '../src/controller/failover.ts'
import { reassign } from '../src/controller/reassignment.ts'
import { topicsChanged } from '../src/controller/topic-changes.ts'
import { deletionsRequested, replicasRemoved } from '../src/controller/topic-deletion.ts'
import { paths, readTopic } from '../src/metadata/zookeeper-layout.ts'
import { World } from './controller-world.ts'

function cluster(options: Parameters<World['context']>[0] = {}): {
  world: World
  context: ControllerContext
} {
  const world = new World()
  for (const id of [1, 2, 3]) world.broker(id)
  world.topic('orders', { 0: [1, 2, 3] })
  const context = world.context(options)
  world.run(takeOver(context))
  world.drain()
  return { world, context }
}

function kill(world: World, context: ControllerContext, ...ids: number[]): string[] {
  for (const id of ids) world.znodes.delete(paths.broker(id))
  world.run(brokersChanged(context))
  return world.drain()
}

function ask(context: ControllerContext, isr: number[], change: object = {}) {
  const { leadership } = context.partition('orders', 0)!
  return alterPartitions(
    context,
    {
      brokerId: leadership!.leader,
      brokerEpoch: context.brokers.get(leadership!.leader)!.epoch,
      topics: [
        {
          topicName: '',
          topicId: context.topics.get('orders')!.topicId,
          partitions: [
            {
              partitionIndex: 0,
              leaderEpoch: leadership!.leaderEpoch,
              newIsr: [],
              newIsrWithEpochs: isr.map(brokerId => ({ brokerId, brokerEpoch: -1 })),
              leaderRecoveryState: 0,
              partitionEpoch: leadership!.partitionEpoch,
              ...change,
            },
          ],
        },
      ],
    },
    3,
  )
}

test('a new partition is led by its first live replica, and all live replicas are in sync', () => {
  const { world } = cluster()
  assert.deepEqual(world.state('orders', 0), {
    leader: 1,
    leaderEpoch: 0,
    isr: [1, 2, 3],
    leaderRecoveryState: 0,
    controllerEpoch: 1,
  })
})

test('a topic that a tool has written without an id gets one, and its partitions come to life', () => {
  const { world, context } = cluster()
  world.topic('legacy', { 0: [2, 3], 1: [3, 1] })
  world.run(topicsChanged(context))
  assert.match(world.znodes.get(paths.topic('legacy'))!.data!.toString(), /"topic_id":"topic-id-2/)
  assert.equal(world.state('legacy', 1)!.leader, 3)
  const sent = world.drain()
  assert.equal(sent[0], 'LeaderAndIsr→2 legacy-0 leader=2 isr=2,3')
  assert.equal(sent.filter(text => text.startsWith('UpdateMetadata')).length, 3)
})

test('when a leader dies, the next in-sync replica in assignment order leads under a new epoch', () => {
  const { world, context } = cluster()
  const sent = kill(world, context, 1)
  const { leader, isr, leaderEpoch } = world.state('orders', 0)!
  assert.deepEqual({ leader, isr, leaderEpoch }, { leader: 2, isr: [2, 3], leaderEpoch: 1 })
  assert.ok(sent.includes('LeaderAndIsr→2 orders-0 leader=2 isr=2,3'))
  assert.ok(!sent.some(text => text.includes('→1')), 'nothing is sent to the dead')
})

test('when the last in-sync replica dies, it stays the only one that may lead', () => {
  const { world, context } = cluster()
  kill(world, context, 3)
  kill(world, context, 2)
  kill(world, context, 1)
  const { leader, isr } = world.state('orders', 0)!
  assert.deepEqual({ leader, isr }, { leader: -1, isr: [1] })
  world.broker(2)
  world.run(brokersChanged(context))
  assert.equal(world.state('orders', 0)!.leader, -1, 'a replica that lacks records does not lead')
  world.broker(1)
  world.run(brokersChanged(context))
  assert.equal(world.state('orders', 0)!.leader, 1)
})

test('an election at any price takes whoever is alive, and says so in the recovery state', () => {
  const { world, context } = cluster()
  kill(world, context, 2, 3)
  kill(world, context, 1)
  world.broker(2)
  world.run(brokersChanged(context))
  const codes = world.run(electUnclean(context, [context.partition('orders', 0)!]))
  assert.deepEqual([...codes.values()], [errorCode.NONE])
  const { leader, isr, leaderRecoveryState } = world.state('orders', 0)!
  assert.deepEqual({ leader, isr, leaderRecoveryState }, { leader: 2, isr: [2], leaderRecoveryState: 1 })
})

test('a topic that prefers availability gets a leader at any price by itself', () => {
  const { world, context } = cluster()
  world.put(
    paths.config('topics', 'orders'),
    '{"version":1,"config":{"unclean.leader.election.enable":"true"}}',
  )
  kill(world, context, 2, 3)
  kill(world, context, 1)
  world.broker(3)
  world.run(brokersChanged(context))
  assert.equal(world.state('orders', 0)!.leader, 3)
})

test('a broker that came back before its going was seen is treated as both', () => {
  const { world, context } = cluster()
  world.broker(1)
  world.run(brokersChanged(context))
  const { leader, isr } = world.state('orders', 0)!
  assert.deepEqual({ leader, isr }, { leader: 2, isr: [2, 3] })
  assert.ok(world.drain().includes('LeaderAndIsr→1 orders-0 leader=2 isr=2,3'))
})

test('brokers hear who is alive before LeaderAndIsr names a leader', () => {
  const world = new World()
  for (const id of [1, 2]) world.broker(id)
  world.topic('orders', { 0: [1, 2] })
  world.run(takeOver(world.context()))
  const ofBroker2 = world.drain().filter(text => text.includes('→2'))
  assert.equal(ofBroker2[0], 'UpdateMetadata→2')
  assert.match(ofBroker2[1]!, /^LeaderAndIsr→2 orders-0/)
})

test('a state written by a newer controller is left alone', () => {
  const { world, context } = cluster()
  world.put(
    paths.partitionState('orders', 0),
    '{"version":1,"leader":1,"leader_epoch":5,"controller_epoch":9,"isr":[1,2,3]}',
  )
  kill(world, context, 1)
  assert.equal(world.state('orders', 0)!.leaderEpoch, 5)
})

test('an election that meets somebody else’s write begins anew from that write', () => {
  const { world, context } = cluster()
  let isFirst = true
  world.beforeWrite = write => {
    if (!isFirst || write.op !== 'set') return
    isFirst = false
    world.put(
      paths.partitionState('orders', 0),
      '{"version":1,"leader":1,"leader_epoch":0,"controller_epoch":1,"isr":[1,3]}',
    )
  }
  kill(world, context, 1)
  const { leader, isr } = world.state('orders', 0)!
  assert.deepEqual({ leader, isr }, { leader: 3, isr: [3] })
})

test('a leader gets the ISR it asks for if it is up to date and all members live', () => {
  const { world, context } = cluster()
  const answer = world.run(ask(context, [1, 2]))
  assert.equal(answer.outcomes[0]!.errorCode, errorCode.NONE)
  assert.deepEqual(world.state('orders', 0)!.isr, [1, 2])
  assert.equal(world.state('orders', 0)!.leaderEpoch, 0, 'the epoch stays')
  assert.equal(answer.outcomes[0]!.leadership!.partitionEpoch, 1)
  assert.ok(world.drain().every(text => text.startsWith('UpdateMetadata')))
})

test('asking for another ISR is refused to those who are behind, ahead, or want the dead', () => {
  const { world, context } = cluster()
  const code = (isr: number[], change: object) => world.run(ask(context, isr, change)).outcomes[0]!.errorCode
  world.run(ask(context, [1, 2]))
  assert.equal(code([1], { partitionEpoch: 0 }), errorCode.INVALID_UPDATE_VERSION)
  assert.equal(code([1, 2], { partitionEpoch: 0 }), errorCode.NONE, 'the same content again is no conflict')
  assert.equal(code([1], { partitionEpoch: 7 }), errorCode.NOT_CONTROLLER)
  assert.equal(code([1], { leaderEpoch: 1 }), errorCode.NOT_CONTROLLER)
  assert.equal(code([1], { leaderRecoveryState: 1 }), errorCode.INVALID_REQUEST)
  assert.equal(code([1, 9], {}), errorCode.INVALID_REQUEST)
  kill(world, context, 3)
  assert.equal(code([1, 2, 3], {}), errorCode.INELIGIBLE_REPLICA)
  const stale = {
    ...{ brokerId: 1, brokerEpoch: -5, topics: [] },
  }
  assert.equal(world.run(alterPartitions(context, stale, 3)).errorCode, errorCode.STALE_BROKER_EPOCH)
})

test('a broker that is about to stop leads nothing and follows nothing afterwards', () => {
  const { world, context } = cluster()
  world.topic('other', { 0: [2, 1] })
  world.run(topicsChanged(context))
  const answer = world.run(shutDownBroker(context, 1, context.brokers.get(1)!.epoch))
  assert.deepEqual(answer, { errorCode: errorCode.NONE, remaining: [] })
  assert.equal(world.state('orders', 0)!.leader, 2)
  assert.deepEqual(world.state('orders', 0)!.isr, [2, 3])
  assert.deepEqual(world.state('other', 0)!.isr, [2])
})

test('a deleted topic goes when every replica has confirmed, and leaves no znode', () => {
  const { world, context } = cluster()
  world.put(paths.config('topics', 'orders'), '{"version":1,"config":{}}')
  world.put(paths.deleteTopic('orders'), null)
  world.run(deletionsRequested(context))
  const sent = world.drain()
  assert.ok(sent.includes('UpdateMetadata→2 orders-0 leader=-2 isr=1,2,3'))
  assert.ok(sent.includes('StopReplica→2 orders-0 delete'))
  const partition = context.partition('orders', 0)!
  world.run(replicasRemoved(context, 1, [partition], []))
  world.run(replicasRemoved(context, 2, [partition], []))
  assert.ok(world.znodes.has(paths.topic('orders')), 'one replica is still there')
  world.run(replicasRemoved(context, 3, [partition], []))
  assert.deepEqual(
    [...world.znodes.keys()].filter(path => path.includes('orders')),
    [],
  )
  assert.equal(context.topics.size, 0)
})

test('deletion waits for a dead broker and goes on when it returns', () => {
  const { world, context } = cluster()
  kill(world, context, 3)
  world.put(paths.deleteTopic('orders'), null)
  world.run(deletionsRequested(context))
  const partition = context.partition('orders', 0)!
  for (const broker of [1, 2]) world.run(replicasRemoved(context, broker, [partition], []))
  assert.ok(world.znodes.has(paths.topic('orders')))
  world.drain()
  world.broker(3)
  world.run(brokersChanged(context))
  assert.ok(world.drain().includes('StopReplica→3 orders-0 delete'))
  world.run(replicasRemoved(context, 3, [partition], []))
  assert.ok(!world.znodes.has(paths.topic('orders')))
})

test('a moved partition keeps its old replicas until the new ones are in sync', () => {
  const { world, context } = cluster()
  world.broker(4)
  world.run(brokersChanged(context))
  const partition = context.partition('orders', 0)!
  assert.equal(world.run(reassign(context, partition, [4, 2])).errorCode, errorCode.NONE)
  const assignment = () =>
    readTopic('orders', world.znodes.get(paths.topic('orders'))!.data).partitions.get(0)
  assert.deepEqual(assignment(), { replicas: [4, 2, 1, 3], adding: [4], removing: [1, 3] })
  assert.ok(world.drain().includes('LeaderAndIsr→4 orders-0 leader=1 isr=1,2,3'))
  world.run(ask(context, [1, 2, 3, 4]))
  assert.deepEqual(assignment(), { replicas: [4, 2], adding: [], removing: [] })
  assert.equal(world.state('orders', 0)!.leader, 4)
  assert.deepEqual([...world.state('orders', 0)!.isr].sort(), [2, 4])
  const sent = world.drain()
  assert.ok(sent.includes('StopReplica→1 orders-0 delete') && sent.includes('StopReplica→3 orders-0 delete'))
})

test('a new controller goes on with a reassignment another has begun', () => {
  const { world, context } = cluster()
  world.broker(4)
  world.run(brokersChanged(context))
  world.run(reassign(context, context.partition('orders', 0)!, [4]))
  const successor = world.context({ epoch: 2 })
  world.run(takeOver(successor))
  assert.deepEqual(successor.partition('orders', 0)!.adding, [4])
  world.run(ask(successor, [1, 2, 3, 4]))
  assert.deepEqual(successor.partition('orders', 0)!.replicas, [4])
})
