import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ForeseenNode, ForeseenTable } from '../src/pipeline/foreseen.ts'

test('paths that have one hash are told apart', () => {
  const path = fc.constantFrom('/a', '/b', '/c', '/d', '/e')
  const hashOf = (of: string) => (of < '/c' ? 1 : 2)
  const step = fc.record({
    path,
    what: fc.constantFrom('put', 'put', 'delete', 'delete one that was replaced'),
  })
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 60 }), steps => {
      const table = new ForeseenTable()
      const model = new Map<string, ForeseenNode>()
      const replaced = new Map<string, ForeseenNode>()
      for (const { path, what } of steps) {
        const current = model.get(path)
        if (what === 'put') {
          const node = new ForeseenNode()
          node.path = path
          node.hash = hashOf(path)
          table.put(node)
          if (current !== undefined) replaced.set(path, current)
          model.set(path, node)
        } else if (what === 'delete') {
          if (current !== undefined) assert.ok(table.delete(current))
          model.delete(path)
        } else if (replaced.has(path)) {
          assert.equal(table.delete(replaced.get(path)!), false)
        }
        for (const each of ['/a', '/b', '/c', '/d', '/e'])
          assert.equal(table.get(each, hashOf(each)), model.get(each))
        assert.deepEqual(new Set(table), new Set(model.values()))
      }
    }),
  )
})
