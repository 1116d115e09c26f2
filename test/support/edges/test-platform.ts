import { BodyMemory } from '../../../shared/bytes/body-memory.ts'
import { anyHost } from '../../../shared/fetch/host-rules.ts'
import type { BackendAnswer, BackendInit, CallBackend } from '../../../edge/backends/exchange.ts'
import { copiedStream } from '../../../edge/body/web-pieces.ts'
import type { Stopping } from '../../../edge/calls/stopping.ts'
import { AnswerRegister } from '../../../edge/idempotency/answer-register.ts'
import { KeyMeter } from '../../../edge/limits/key-meter.ts'
import { localMeter } from '../../../edge/limits/local-meter.ts'
import { guardStream } from '../../../edge/node/guard-stream.ts'
import type { PageFiles } from '../../../edge/page/page-files.ts'
import type { Platform } from '../../../edge/platform.ts'
import { testKeys, testSqlite } from './test-keys.ts'

/** Pages of a few bytes. */
export const testPage: PageFiles = {
  version: '0123456789abcdef',
  pages: {
    '/': '<!doctype html><title>Ask</title>',
    '/docs': '<!doctype html><title>Docs</title>',
  },
  files: { 'edge/page/browser/ask.ts': { type: 'text/javascript', text: 'export {}' } },
}

/** An edge that never stops. */
export const neverStopping: Stopping = { begun: false, cut: false, signal: undefined }

export type TestBackend = (
  path: string,
  init: BackendInit,
) => BackendAnswer | Promise<BackendAnswer>

export interface TestPlatformParts extends Partial<Omit<Platform, 'backend'>> {
  readonly rootKey?: string
  /** Milliseconds, and since 1970. */
  readonly clock?: { readonly ms: number }
  readonly backend?: TestBackend
  /** Replaces it where it matters which backend answers. */
  readonly pool?: CallBackend
}

/** A Platform over real stores but nothing else: its backend answers at once, and there is no internet. */
export function testPlatform({
  rootKey = 'right-key',
  clock = { ms: 0 },
  backend = () => Response.json({ output: 'A cat.' }),
  pool = async (path, init) => ({
    answer: await backend(path, init),
    backendId: 'test',
    ended: () => undefined,
  }),
  ...parts
}: TestPlatformParts = {}): Platform {
  return {
    ...testKeys(rootKey, clock),
    meter: localMeter(new KeyMeter(testSqlite()), () => clock.ms),
    bodyMemory: new BodyMemory(Infinity),
    certificateIsValid: () => true,
    metrics: undefined,
    measure: undefined,
    tracing: undefined,
    admitAddress: async () => true,
    clientAddress: () => undefined,
    webBody: copiedStream,
    relay: guardStream,
    keepAlive: () => undefined,
    stopping: neverStopping,
    answers: new AnswerRegister(testSqlite(), () => clock.ms),
    stickyByContent: false,
    fetchPublic: () => Promise.reject(new TypeError('fetch failed')),
    imageHosts: anyHost,
    corsOrigins: [],
    log: () => undefined,
    now: () => clock.ms,
    deadlineMs: 60_000,
    backend: pool,
    page: () => testPage,
    imageTokens: () => 1_000,
    ...parts,
  }
}
