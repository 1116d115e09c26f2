import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { type Browser, chromium } from 'playwright-core'
import { systemPackage } from '../system-package.ts'

const run = promisify(execFile)

/** Where Debian, others and macOS have it. */
const places = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]
const place = () => places.find((path) => existsSync(path)) ?? 'chromium'

/** Why there is no Chromium, even after an attempt to install it; undefined when there is one. */
export const noChromium = await systemPackage('chromium', () => run(place(), ['--version']))

/** A browser without a window, whose camera shows a test picture. */
export function openChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: place(),
    args: ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'],
  })
}
