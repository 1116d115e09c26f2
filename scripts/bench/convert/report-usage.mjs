// Loaded before a program (`node --import`): when it ends, what it used is written to the file named by USAGE_FILE.
import { writeFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

const file = process.env['USAGE_FILE']
if (isMainThread && file !== undefined) {
  process.on('exit', () => {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
    writeFileSync(file, JSON.stringify({ userCPUTime, systemCPUTime, maxRSS }))
  })
}
