/**
 * The promise's outcome, if it comes in time.
 * @param message of the error it otherwise rejects with
 */
export function withinTime<Value>(
  answer: Value | Promise<Value>,
  ms: number,
  message: string,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(message)), ms)
    void Promise.resolve(answer)
      .then(resolve, reject)
      .finally(() => clearTimeout(timer))
  })
}
