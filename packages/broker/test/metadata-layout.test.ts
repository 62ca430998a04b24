import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  aclOf,
  readBroker,
  readConfigChange,
  readController,
  readControllerEpoch,
  readPartitionState,
  readProducerIdBlock,
  readTopic,
  sanitized,
  writeBroker,
  writeClusterId,
  writeConfig,
  writeController,
  writeFeature,
  writePartitionState,
  writeTopic,
  ZnodeError,
} from '../src/metadata/zookeeper-layout.ts'

const bytes = (text: string) => Buffer.from(text)

// The texts are those of an Apache Kafka 3.9 broker.
test('znodes are written as Apache’s broker writes them', () => {
  assert.equal(
    writeBroker(
      {
        endpoints: [{ listener: 'PLAINTEXT', securityProtocol: 'PLAINTEXT', host: '127.0.0.1', port: 27092 }],
        rack: null,
        features: {},
      },
      1795351984005,
    ),
    '{"features":{},"listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT"},"endpoints":["PLAINTEXT://127.0.0.1:27092"],"jmx_port":-1,"port":27092,"host":"127.0.0.1","version":5,"timestamp":"1795351984005"}',
  )
  assert.equal(
    writeController(0, 1795351985933),
    '{"version":2,"brokerid":0,"timestamp":"1795351985933","kraftControllerEpoch":-1}',
  )
  assert.equal(writeFeature(), '{"features":{},"version":2,"status":1}')
  assert.equal(writeClusterId('Yp8JLp_uRCuUPaUxiohu1w'), '{"version":"1","id":"Yp8JLp_uRCuUPaUxiohu1w"}')
  assert.equal(writeConfig({ 'retention.ms': '60000' }), '{"version":1,"config":{"retention.ms":"60000"}}')
  const topic =
    '{"partitions":{"0":[0],"1":[0]},"topic_id":"uzeS162zSaeT_Z0BQ6S-Rw","adding_replicas":{},"removing_replicas":{},"version":3}'
  assert.equal(writeTopic(readTopic('orders', bytes(topic))), topic)
  const state = '{"controller_epoch":1,"leader":0,"version":1,"leader_epoch":0,"isr":[0]}'
  assert.equal(writePartitionState(readPartitionState('orders', 0, bytes(state))), state)
})

test('what older versions have written is read', () => {
  const { topicId, partitions } = readTopic('t', bytes('{"version":1,"partitions":{"0":[1,2]}}'))
  assert.equal(topicId, null)
  assert.deepEqual(partitions.get(0), { replicas: [1, 2], adding: [], removing: [] })
  assert.deepEqual(
    readBroker(1, bytes('{"version":1,"host":"h","port":9092,"jmx_port":-1,"timestamp":"0"}')).endpoints,
    [{ listener: 'PLAINTEXT', securityProtocol: 'PLAINTEXT', host: 'h', port: 9092 }],
  )
  const old = readBroker(1, bytes('{"version":3,"endpoints":["SSL://[::1]:9093"],"rack":"a"}'))
  assert.deepEqual(old.endpoints, [{ listener: 'SSL', securityProtocol: 'SSL', host: '::1', port: 9093 }])
  assert.equal(old.rack, 'a')
  assert.deepEqual(readController(bytes('{"version":1,"brokerid":3,"timestamp":"0"}')), {
    brokerId: 3,
    kraftControllerEpoch: -1,
  })
  assert.equal(
    readConfigChange('/c', bytes('{"version":1,"entity_type":"topics","entity_name":"x"}')),
    'topics/x',
  )
  assert.equal(readProducerIdBlock(null), null)
})

test('data that cannot be used names the znode', () => {
  const check = (read: () => unknown, words: RegExp) =>
    assert.throws(read, (error: Error) => error instanceof ZnodeError && words.test(error.message))
  check(() => readTopic('t', bytes('{')), /\/brokers\/topics\/t is not JSON/)
  check(() => readTopic('t', null), /\/brokers\/topics\/t is empty/)
  check(() => readTopic('t', bytes('{"partitions":{"0":["a"]}}')), /partition 0/)
  check(() => readPartitionState('t', 0, bytes('{"leader":1}')), /leader_epoch/)
  check(() => readBroker(1, bytes('{"version":5,"endpoints":["PLAINTEXT//x"]}')), /PLAINTEXT\/\/x/)
  check(() => readControllerEpoch(bytes('x')), /controller_epoch/)
})

test('names of entities are encoded as Java encodes them', () => {
  assert.equal(sanitized("a b*c~d!e'(f)"), 'a%20b%2Ac%7Ed%21e%27%28f%29')
  assert.equal(sanitized('a-b_c.d'), 'a-b_c.d')
})

test('in a secured cluster secrets are for brokers alone, all else for everyone to read', () => {
  assert.deepEqual(
    aclOf('/config/users/x', true).map(({ perms }) => perms),
    [31],
  )
  assert.deepEqual(
    aclOf('/brokers/topics/x', true).map(({ perms }) => perms),
    [31, 1],
  )
  assert.deepEqual(aclOf('/consumers', true), aclOf('/brokers', false))
})
