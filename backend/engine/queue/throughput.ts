/**
 * Work per second assumed until a step was measured: a full-size model on two cores reads 60 prompt tokens a second.
 */
const presumedWorkPerSecond = 50

/** Milliseconds of running time after which a measurement counts half: a few answers long. */
const halfLifeMs = 30_000

/** Jobs after which a job's influence on the ratio of actual to estimated work counts half. */
const halfLifeJobs = 32

/** How fast this process works, and how accurate estimates of work are: averages weighted towards the latest. */
export class Throughput {
  #work = 0
  #busyMs = 0
  #estimated = 0
  #actual = 0

  /** Work per second of running time; idle time does not count. */
  get workPerSecond(): number {
    return this.#busyMs === 0 ? presumedWorkPerSecond : (this.#work / this.#busyMs) * 1_000
  }

  /** Actual work per estimated work; 1 until a job has ended. */
  get actualPerEstimated(): number {
    return this.#estimated === 0 ? 1 : this.#actual / this.#estimated
  }

  /** Seconds that jobs of this much estimated work will take. */
  secondsFor(estimatedWork: number): number {
    return (estimatedWork * this.actualPerEstimated) / this.workPerSecond
  }

  /** Records a stretch of running time. Stretches too short for the clock are added to the next one. */
  worked(work: number, ms: number): void {
    const kept = 2 ** (-ms / halfLifeMs)
    this.#work = this.#work * kept + work
    this.#busyMs = this.#busyMs * kept + ms
  }

  /** Records a job that has ended by itself. */
  ended(estimatedWork: number, actualWork: number): void {
    const kept = 2 ** (-1 / halfLifeJobs)
    this.#estimated = this.#estimated * kept + estimatedWork
    this.#actual = this.#actual * kept + actualWork
  }
}
