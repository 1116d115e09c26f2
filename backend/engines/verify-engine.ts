import { Agent } from 'undici'
import type { Report } from '../../shared/progress/progress.ts'
import { createNormalizer } from '../processor/create-normalizer.ts'
import { createLocalTasks } from '../processor/tasks/processor-tasks.ts'
import { askFacts } from '../cluster/health/ask-facts.ts'
import type { EngineFacts } from '../cluster/engine/engine-facts.ts'
import { testGeneration, testPrompt } from '../cluster/health/test-generation.ts'
import { timeLimits } from '../cluster/engine/time-limits.ts'
import { readVariant } from '../model/config/variant.ts'
import type { Subject } from './ask-once.ts'
import { checksFor, runCheck } from './checks.ts'
import { drawPictures } from './pictures.ts'

interface VerifyOptions {
  /** Without `/v1`. */
  readonly url: string
  readonly apiKey: string | undefined
  readonly model: string | undefined
  /** Folder of the model's small files. */
  readonly modelFolder: string
  readonly report: Report
  readonly signal: AbortSignal
}

/**
 * Examines an engine with requests as this server would send them.
 * @returns what is wrong; nothing when all is well
 * @throws {EngineProblem} when it does not answer at all
 */
export async function verifyEngine(options: VerifyOptions): Promise<string[]> {
  const { url, apiKey, model, modelFolder, report, signal } = options
  const tasks = createLocalTasks(modelFolder)
  const normalizer = await createNormalizer({ modelFolder, tasks })
  const agent = new Agent({ connect: { timeout: timeLimits.connectMs } })
  try {
    const target = { id: new URL(url).host, baseUrl: url, apiKey, agent }
    const facts = await askFacts({ target, model, timeoutMs: timeLimits.probeMs })
    for (const line of factLines(facts)) report(line)
    const { reasons } = await readVariant(modelFolder, { name: modelFolder, reasoning: 'auto' })
    const subject = { target, facts, normalizer, reasons, signal }
    return [...(await checkCount(subject, report)), ...(await checkAll(subject, report))]
  } finally {
    await agent.destroy()
  }
}

function factLines({ kind, version, model, contextTokens, slots }: EngineFacts): string[] {
  return [
    `engine: ${kind} ${version ?? ''}`.trimEnd(),
    `model: ${model}`,
    `context: ${contextTokens ?? 'it does not say'}`,
    `answers at a time: ${slots ?? 'it does not say; set ENGINE_SLOTS to what it was started with'}`,
  ]
}

async function checkCount(subject: Subject, report: Report): Promise<string[]> {
  const { target, facts, normalizer, signal } = subject
  const prompt = await testPrompt(normalizer, signal)
  const counted = await testGeneration(target, facts, prompt, timeLimits, signal)
  if (counted === prompt.promptTokens) {
    report(`ok       tokens of a prompt: ${counted}`)
    return []
  }
  const problem = `tokens of a prompt: ${counted ?? 'not said'} there, ${prompt.promptTokens} by MODEL_PATH`
  report(`wrong    ${problem}`)
  return [problem]
}

async function checkAll(subject: Subject, report: Report): Promise<string[]> {
  const problems: string[] = []
  for (const check of checksFor(await drawPictures())) {
    const { verdict, detail } = await runCheck(check, subject)
    const line = detail === '' ? check.name : `${check.name}: ${detail}`
    report(`${verdict.padEnd(8)} ${line}`)
    if (verdict === 'wrong') problems.push(line)
  }
  return problems
}
