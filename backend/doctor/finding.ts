/** One line of the doctor's report. */
export interface Finding {
  readonly name: string
  readonly value: string
  /** What is wrong, and what to do about it. */
  readonly problem?: Problem
}

export interface Problem {
  /** `error`: the backend cannot run like this; `warning`: it runs, but slower or on other hardware than it could. */
  readonly severity: 'error' | 'warning'
  readonly text: string
  readonly remedy: string
}

/** The report as text: a line for each finding, and below it what to do. */
export function reportLines(findings: readonly Finding[]): string[] {
  const width = Math.max(...findings.map(({ name }) => name.length))
  return findings.flatMap(({ name, value, problem }) => {
    const line = `${name.padEnd(width)}  ${value}`
    if (problem === undefined) return [line]
    const indent = ' '.repeat(width + 2)
    return [
      line,
      `${indent}${problem.severity}: ${problem.text}`,
      `${indent}remedy: ${problem.remedy}`,
    ]
  })
}

/** Whether the backend cannot run. */
export function hasError(findings: readonly Finding[]): boolean {
  return findings.some(({ problem }) => problem?.severity === 'error')
}
