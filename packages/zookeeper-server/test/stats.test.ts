import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Summary } from '../src/stats.ts'

test('what began at several times and ends together is summed up as if each were added by itself', () => {
  const batches = fc.array(fc.array(fc.nat(1000), { minLength: 1, maxLength: 8 }), { maxLength: 5 })
  fc.assert(
    fc.property(batches, all => {
      const one = new Summary()
      const together = new Summary()
      for (const [index, beginnings] of all.entries()) {
        const now = 1000 + index
        const leaving = new Summary()
        for (const beginning of beginnings) {
          one.add(now - beginning)
          leaving.add(beginning)
        }
        together.addUntil(now, leaving)
      }
      assert.deepEqual(together, one)
    }),
  )
})
