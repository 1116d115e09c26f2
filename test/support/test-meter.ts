import { copiedStream } from '../../edge/body/web-pieces.ts'
import { KeyMeter } from '../../edge/limits/key-meter.ts'
import { localMeter } from '../../edge/limits/local-meter.ts'
import { guardStream } from '../../edge/node/guard-stream.ts'
import { testSqlite } from './test-keys.ts'

/** The parts of a Platform that have to do with limits, over a real store. @param clock milliseconds since 1970 */
export function testMeter(clock: { ms: number } = { ms: 0 }) {
  return {
    meter: localMeter(new KeyMeter(testSqlite()), () => clock.ms),
    admitAddress: async () => true,
    webBody: copiedStream,
    relay: guardStream,
    keepAlive: () => undefined,
  }
}
