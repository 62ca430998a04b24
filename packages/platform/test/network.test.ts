import assert from 'node:assert/strict'
import { networkInterfaces } from 'node:os'
import { test } from 'node:test'
import { nodeNetwork } from '../src/node/index.ts'

const hasIpv6 = Object.values(networkInterfaces()).some(all => all?.some(({ family }) => family === 'IPv6'))

for (const host of ['0.0.0.0', '::']) {
  test(`who listens at ${host} is reached over IPv4 and over IPv6`, {
    skip: !hasIpv6 && 'this machine has no IPv6',
  }, async () => {
    const remotes: string[] = []
    const listener = await nodeNetwork.listen({ host, port: 0 }, connection => {
      remotes.push(connection.remote.host)
      connection.onData = bytes => connection.write(bytes)
    })
    for (const address of ['127.0.0.1', '::1']) {
      const connection = await nodeNetwork.connect(
        { host: address, port: listener.address.port },
        { timeoutMs: 5_000 },
      )
      const echoed = new Promise<string>(resolve => {
        connection.onData = bytes => resolve(String(bytes))
      })
      connection.write(Buffer.from('ruok'))
      assert.equal(await echoed, 'ruok')
      connection.destroy()
    }
    assert.deepEqual(remotes, ['127.0.0.1', '::1'])
    await listener.close()
  })
}
