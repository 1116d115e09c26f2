import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type * as z from 'zod'
import { issuedKeyView } from '../../../shared/api/administration/keys.ts'
import { adminRoutes } from '../../../shared/api/routes.ts'
import { usageView, type DayUsage } from '../../../shared/api/administration/usage.ts'
import { Launcher } from '../../start/launcher.ts'
import { findFreePorts } from '../../start/port.ts'
import { roles, type Role } from './call.ts'
import { watchLiveness, type Liveness } from './liveness.ts'
import { readMetrics, type Metrics } from '../../../shared/metrics/read-metrics.ts'

/** The whole service with the nano model, in separate processes as under `npm start`. */
export interface SoakProduct {
  readonly url: string
  readonly keys: Readonly<Record<Role, string>>
  metrics(): Promise<Readonly<Record<'edge' | 'backend', Metrics>>>
  /** What the edge has recorded for each key. */
  usage(): Promise<Readonly<Record<Role, readonly DayUsage[]>>>
  /** Rejects when a program ends unexpectedly. */
  readonly failed: Promise<never>
  /** @returns how fast the programs answered `/livez` since they started */
  stop(): Promise<readonly Liveness[]>
}

const host = '127.0.0.1'

/** @param settings of the programs, in addition to those the soak needs */
export async function startSoakProduct(
  settings: Readonly<Record<string, string>>,
  print: (line: string) => void,
): Promise<SoakProduct> {
  const stateDir = await mkdtemp(join(tmpdir(), 'describe-soak-'))
  const wanted = { host, port: 0, setting: 'METRICS_PORT' }
  const [edgePort = 0, backendPort = 0] = await findFreePorts([wanted, wanted])
  const launcher = new Launcher({
    environment: {
      ...process.env,
      EDGE: 'node',
      PORT: '0',
      BACKEND_PORT: '0',
      STATE_DIR: stateDir,
      METRICS_PORT: String(edgePort),
      BACKEND_METRICS_PORT: String(backendPort),
      LOG_LEVEL: 'error',
      ...settings,
    },
    print,
  })
  const liveness = watchLiveness({ edge: edgePort, backend: backendPort })
  const stop = async () => {
    const report = await liveness.stop()
    await launcher.stop()
    await rm(stateDir, { recursive: true, force: true })
    return report
  }
  try {
    const { url, apiKeyFile } = await launcher.start()
    liveness.loaded()
    const rootKey = (await readFile(apiKeyFile, 'utf8')).trim()
    const admin = createAdmin(url, rootKey)
    const keys = await byRole(admin.issue)
    return {
      url,
      keys: await byRole((role) => keys[role].key),
      metrics: async () => {
        const [edge, backend] = await Promise.all([edgePort, backendPort].map(metricsOf))
        return { edge: edge!, backend: backend! }
      },
      usage: () => byRole((role) => admin.usage(keys[role].id)),
      failed: launcher.failed,
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function byRole<Value>(
  read: (role: Role) => Value | Promise<Value>,
): Promise<Record<Role, Value>> {
  const pairs = await Promise.all(roles.map(async (role) => [role, await read(role)] as const))
  return Object.fromEntries(pairs) as Record<Role, Value>
}

async function metricsOf(port: number): Promise<Metrics> {
  const response = await fetch(`http://${host}:${port}/metrics`)
  return readMetrics(await response.text())
}

function createAdmin(url: string, rootKey: string) {
  const ask = async <Schema extends z.ZodType>(
    path: string,
    schema: Schema,
    init: RequestInit,
  ): Promise<z.infer<Schema>> => {
    const headers = { 'x-api-key': rootKey, 'content-type': 'application/json' }
    return schema.parse(await (await fetch(url + path, { headers, ...init })).json())
  }
  return {
    issue: (note: string) =>
      ask(adminRoutes.createKey.path, issuedKeyView, {
        method: 'POST',
        body: JSON.stringify({ note }),
      }),
    async usage(id: string) {
      const { usage } = await ask(`${adminRoutes.usage.path}?key_id=${id}`, usageView, {})
      return usage
    },
  }
}
