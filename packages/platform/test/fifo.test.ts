import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Fifo } from '../src/index.ts'

test('whatever is done to a queue, it holds what an array would', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.nat().map(value => ({ do: 'push' as const, value })) },
    { weight: 3, arbitrary: fc.constant({ do: 'shift' as const }) },
    { weight: 1, arbitrary: fc.constant({ do: 'pop' as const }) },
    { weight: 1, arbitrary: fc.constant({ do: 'takeAll' as const }) },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), steps => {
      const fifo = new Fifo<number>()
      let model: number[] = []
      for (const at of steps) {
        if (at.do === 'push') {
          fifo.push(at.value)
          model.push(at.value)
        } else if (at.do === 'takeAll') {
          assert.deepEqual(fifo.takeAll(), model)
          model = []
        } else {
          assert.equal(fifo[at.do](), model[at.do]())
        }
        assert.deepEqual([[...fifo], fifo.length, fifo.peek()], [model, model.length, model[0]])
      }
    }),
  )
})
