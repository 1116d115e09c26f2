/** Work per second until a step was measured: a full-size model on two cores reads 60 prompt tokens a second. */
const presumedWorkPerSecond = 50

/** Milliseconds of working after which a measurement counts half: a few answers long. */
const halfLifeMs = 30_000

/** Jobs after which a job's share in the estimates' quality counts half. */
const halfLifeJobs = 32

/** How fast this process works, and how good estimates of work are: averages in which the latest counts most. */
export class Throughput {
  #work = 0
  #busyMs = 0
  #estimated = 0
  #actual = 0

  /** Work per second of working; idle time does not count. */
  get workPerSecond(): number {
    return this.#busyMs === 0 ? presumedWorkPerSecond : (this.#work / this.#busyMs) * 1_000
  }

  /** Work per work that was estimated; 1 until a job ended. */
  get actualPerEstimated(): number {
    return this.#estimated === 0 ? 1 : this.#actual / this.#estimated
  }

  /** Seconds that jobs of so much work, as estimated, will take. */
  secondsFor(estimatedWork: number): number {
    return (estimatedWork * this.actualPerEstimated) / this.workPerSecond
  }

  /** A stretch of working has ended. Stretches too short for the clock are kept for the next. */
  worked(work: number, ms: number): void {
    const kept = 2 ** (-ms / halfLifeMs)
    this.#work = this.#work * kept + work
    this.#busyMs = this.#busyMs * kept + ms
  }

  /** A job has ended by itself. */
  ended(estimatedWork: number, actualWork: number): void {
    const kept = 2 ** (-1 / halfLifeJobs)
    this.#estimated = this.#estimated * kept + estimatedWork
    this.#actual = this.#actual * kept + actualWork
  }
}
