import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Browser, chromium, type Page } from 'playwright-core'
import { RunningCluster } from './running-cluster.ts'

// The dashboard of a running cluster in the system's Chromium. With SCREENSHOTS set to a folder, pictures are left there.

const executablePath = [
  process.env.CHROMIUM ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find(existsSync)
const skip = executablePath === undefined && 'no Chromium here: install it, or set CHROMIUM to its path'
const patient = { timeout: 60_000 }

let cluster: RunningCluster
let browser: Browser

before(async () => {
  if (skip) return
  cluster = await RunningCluster.start()
  browser = await chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox'] })
})

after(async () => {
  await browser?.close()
  await cluster?.[Symbol.asyncDispose]()
})

/** A page that has met its first data; `problems` are what its console complains of. */
async function open(
  width: number,
  colorScheme: 'light' | 'dark',
): Promise<{ page: Page; problems: string[] }> {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme })
  const problems: string[] = []
  page.on('pageerror', error => problems.push(String(error)))
  page.on('console', message => message.type() === 'error' && problems.push(message.text()))
  await page.goto(`http://127.0.0.1:${cluster.dashboardPort}/`)
  await page.getByText('3 of 3 serve').waitFor(patient)
  return { page, problems }
}

async function keepPicture(page: Page, name: string): Promise<void> {
  const folder = process.env.SCREENSHOTS
  if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true })
}

for (const width of [1280, 400]) {
  for (const scheme of ['light', 'dark'] as const) {
    test(`at ${width} px, ${scheme}: every part has its data, nothing is wider than the page, nothing fails`, {
      skip,
    }, async () => {
      const { page, problems } = await open(width, scheme)
      for (const server of ['server-1', 'server-2', 'server-3'])
        await page.getByRole('heading', { name: server }).waitFor(patient)
      await page.locator('#ensemble').getByText('leader').first().waitFor(patient)
      await page.locator('#brokers').getByText('controller').waitFor(patient)
      await page.locator('#topics').getByText('zookeeper-logs').waitFor(patient)
      await page.locator('#charts canvas').first().waitFor(patient)
      await page.locator('#logs').getByText('LEADING').first().waitFor(patient)
      await keepPicture(page, `${width}-${scheme}`)
      assert.ok(((await page.evaluate('document.documentElement.scrollWidth - innerWidth')) as number) <= 0)
      assert.deepEqual(problems, [])
      await page.close()
    })
  }
}

test('a killed leader is an alert on the open page, its return resolves it, and nobody reloaded', {
  skip,
}, async () => {
  const { page, problems } = await open(1280, 'light')
  await page.evaluate('globalThis.isFirstLoad = true')
  cluster.kill((await cluster.leader())!)
  await page
    .locator('#alerts')
    .getByText(/server-\d leads now; before it was server-\d/)
    .first()
    .waitFor(patient)
  await page.waitForFunction(String.raw`/^\(\d\)/.test(document.title)`, undefined, patient)
  await keepPicture(page, 'firing')
  await page.locator('#alerts').getByText('Nothing is firing').waitFor(patient)
  await page.getByText('3 of 3 serve').waitFor(patient)
  assert.equal(await page.evaluate('globalThis.isFirstLoad'), true)
  assert.deepEqual(problems, [])
})

test('a page whose server is gone says that what it shows is old, and is live again when it is back', {
  skip,
}, async () => {
  const { page } = await open(1280, 'light')
  cluster.kill('dashboard')
  await page.getByText('what you see is old').waitFor(patient)
  await keepPicture(page, 'stale')
  await page.getByText('● live').waitFor(patient)
})
