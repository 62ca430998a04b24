import { readFile } from 'node:fs/promises'
import { extname, join, normalize } from 'node:path'
import { Hono } from 'hono'
import { secureHeaders } from 'hono/secure-headers'
import { streamSSE } from 'hono/streaming'
import type { Snapshot, Update } from '../api.ts'

const contentTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** Pages that listen at a time; each holds a connection. */
const maxListeners = 200
const heartbeatMs = 2000

/** Hands updates on to every page that listens. */
export class Broadcast {
  readonly #listeners = new Set<(update: Update) => void>()

  get count(): number {
    return this.#listeners.size
  }

  send(update: Update): void {
    for (const listener of this.#listeners) listener(update)
  }

  listen(listener: (update: Update) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

/** The HTTP side: the built page, the state as JSON, and the stream of changes. Nothing in it changes anything. */
export function createApp(options: {
  webRoot: string
  snapshot: () => Snapshot
  broadcast: Broadcast
}): Hono {
  const { webRoot, snapshot, broadcast } = options
  const app = new Hono()
  app.use(
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: ["'self'"],
        // Charts set sizes in style attributes.
        styleSrc: ["'self'", "'unsafe-inline'"],
        objectSrc: ["'none'"],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
      },
      strictTransportSecurity: false,
    }),
  )

  app.get('/api/snapshot', c => c.json(snapshot()))

  app.get('/api/events', c => {
    if (broadcast.count >= maxListeners)
      return c.text(`${maxListeners} pages listen already; close one.`, 503)
    return streamSSE(c, async stream => {
      let waiting: Update[] = []
      let wake = () => {}
      const stop = broadcast.listen(update => {
        // A page that does not keep up is brought up to date at once instead of being sent everything it missed.
        if (waiting.length > 100) waiting = []
        waiting.push(update)
        wake()
      })
      stream.onAbort(() => {
        stop()
        wake()
      })
      await stream.writeSSE({ event: 'snapshot', data: JSON.stringify(snapshot()) })
      while (!stream.aborted) {
        const updates = waiting
        waiting = []
        for (const update of updates) await stream.writeSSE({ event: 'update', data: JSON.stringify(update) })
        if (waiting.length > 0) continue
        const timer = setTimeout(() => wake(), heartbeatMs)
        await new Promise<void>(resolve => {
          wake = resolve
        })
        clearTimeout(timer)
        // Silence for longer than this tells the page that the stream is dead.
        if (waiting.length === 0 && !stream.aborted)
          await stream.writeSSE({ event: 'beat', data: String(snapshot().nowMs) })
      }
      stop()
    })
  })

  app.get('/*', async c => {
    const path = normalize(c.req.path === '/' ? '/index.html' : c.req.path)
    const type = contentTypes[extname(path)]
    if (type === undefined || path.includes('..')) return c.text('There is nothing here.', 404)
    try {
      return c.body(await readFile(join(webRoot, path)), 200, { 'content-type': type })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      if (path === '/index.html') return c.text('The page is not built yet. Run: npm run setup', 503)
      return c.text('There is nothing here.', 404)
    }
  })
  return app
}
