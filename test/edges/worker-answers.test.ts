import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it, onTestFinished } from 'vitest'
import { createCertificates } from '../../shared/node/certificates/create-certificates.ts'
import { dayMs } from '../../shared/time/day.ts'
import { RecordingBackend } from '../support/backends/recording-backend.ts'
import { startWorkerd } from '../support/edges/workerd-edge.ts'

const apiKey = 'a-key-that-nobody-guesses'

/** workerd's own tables, which count nanoseconds since 1970: the alarm of an object, and when it is to wake it. */
const alarmOfObject = '_cf_METADATA'
const alarmOfScheduler = '_cf_ALARM'

it('an alarm of the Worker removes kept answers after a day, without a request', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'worker-answers-'))
  const certificates = await createCertificates(
    { server: ['localhost'], client: 'edge' },
    Date.now(),
  )
  const backend = await RecordingBackend.start(certificates)
  onTestFinished(async () => {
    await backend.close()
    await rm(folder, { recursive: true, force: true })
  })
  const start = () =>
    startWorkerd({ apiKey, backendUrl: backend.url, certificates }, { persist: folder })
  const objects = join(folder, 'edge-0-AnswerRegisterObject')
  /** Uses the databases of the object and of workerd's scheduler. */
  const open = async <Value>(use: (object: DatabaseSync, scheduler: DatabaseSync) => Value) => {
    const names = (await readdir(objects)).filter((name) => name.endsWith('.sqlite'))
    const object = names.find((name) => name !== 'metadata.sqlite')!
    const databases = [object, 'metadata.sqlite'].map(
      (name) => new DatabaseSync(join(objects, name), { timeout: 5_000 }),
    )
    try {
      return use(databases[0]!, databases[1]!)
    } finally {
      for (const database of databases) database.close()
    }
  }
  const keptKeys = () =>
    open((object) =>
      object
        .prepare('SELECT key FROM answers ORDER BY key')
        .all()
        .map(({ key }) => key),
    )
  const alarmMs = () =>
    open((object) => {
      const query = `SELECT value / 1000000 AS ms FROM ${alarmOfObject} WHERE key = 1`
      return object.prepare(query).get()?.['ms'] as number | undefined
    })

  const first = await start()
  const begun = Date.now()
  for (const key of ['early', 'late']) {
    const response = await fetch(`${first.url}/generate/text`, {
      method: 'POST',
      headers: {
        'x-api-key': apiKey,
        'content-type': 'application/json',
        'idempotency-key': key,
      },
      body: '{"prompt":"Hi"}',
    })
    expect(response.status).toBe(200)
    await response.text()
  }
  await expect.poll(async () => (await keptKeys()).length).toBe(2)
  await first.stop()
  expect(await alarmMs()).toBeGreaterThanOrEqual(begun + dayMs)
  expect(await alarmMs()).toBeLessThanOrEqual(Date.now() + dayMs)

  // A day later, for one of them and for the alarm.
  const lateEnd = await open((object, scheduler) => {
    object.exec(`UPDATE answers SET expires_at = expires_at - ${dayMs} WHERE key = 'early'`)
    object.exec(`UPDATE ${alarmOfObject} SET value = value - ${dayMs}000000 WHERE key = 1`)
    scheduler.exec(
      `UPDATE ${alarmOfScheduler} SET scheduled_time = scheduled_time - ${dayMs}000000`,
    )
    return object.prepare("SELECT expires_at AS at FROM answers WHERE key = 'late'").get()?.['at']
  })
  const second = await start()
  await expect.poll(keptKeys, { timeout: 20_000 }).toEqual(['late'])
  // It will wake again for the other.
  await expect.poll(alarmMs).toBe(lateEnd)
  await second.stop()
})
