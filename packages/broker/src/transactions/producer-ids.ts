import type { Broker } from '../broker.ts'
import { paths, readProducerIdBlock, writeProducerIdBlock } from '../metadata/zookeeper-layout.ts'
import { isCode, zooKeeperErrorCode } from '../metadata/zookeeper-session.ts'

const blockSize = 1000
const maxTries = 20

/**
 * Gives out producer ids. Brokers take them from ZooKeeper in blocks of a thousand, so that no two ever give out the same.
 * Source: ZkProducerIdManager.
 */
export class ProducerIds {
  readonly #broker: Broker
  #next = 0
  #end = -1
  #taking: Promise<void> | null = null

  constructor(broker: Broker) {
    this.#broker = broker
  }

  async next(): Promise<number> {
    while (this.#next > this.#end) {
      this.#taking ??= this.#takeBlock().finally(() => {
        this.#taking = null
      })
      await this.#taking
    }
    return this.#next++
  }

  async #takeBlock(): Promise<void> {
    for (let attempt = 0; attempt < maxTries; attempt++) {
      const { zookeeper, id } = this.#broker
      const { data, stat } = await zookeeper.getData(paths.producerIdBlock)
      const latest = readProducerIdBlock(data)
      const start = latest === null ? 0 : latest.end + 1
      const block = { broker: id, start, end: start + blockSize - 1 }
      try {
        await zookeeper.setData(paths.producerIdBlock, writeProducerIdBlock(block), stat.version)
        this.#next = start
        this.#end = block.end
        return
      } catch (error) {
        // Another broker took that block.
        if (!isCode(error, zooKeeperErrorCode.BADVERSION)) throw error
      }
    }
    throw new Error(`no block of producer ids could be had in ${maxTries} tries`)
  }
}
