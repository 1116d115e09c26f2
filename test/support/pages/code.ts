import { describe, expect, it } from 'vitest'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { PageStage } from './page-stage.ts'
import { apiKey, sample, sampleText } from './page-steps.ts'

const run = promisify(execFile)

/** What `As code` shows. */
export function describeCode(stage: PageStage): void {
  describe('the question as code', () => {
    it.each(['curl', 'TypeScript'])('asks the same with %s', async (language) => {
      const page = await stage.visits.open('/')
      await page.setInputFiles('#picture-files', sample)
      await page.click('#settings > summary')
      await page.fill('#setting-temperature-A', '0')
      await page.click('#show-code')
      await page.getByRole('radio', { name: language }).check()
      const code = await page.locator('#code-text').textContent()
      expect(code).not.toContain(apiKey)
      const command =
        language === 'curl'
          ? ['sh', '-c']
          : [process.execPath, '--input-type=module-typescript', '-e']
      const env = { ...process.env, DESCRIBE_API_KEY: apiKey }
      const { stdout } = await run(command[0]!, [...command.slice(1), code!], {
        cwd: 'docs',
        env,
      })
      expect(stdout).toContain(sampleText)
    })
  })
}
