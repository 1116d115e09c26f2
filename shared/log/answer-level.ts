/**
 * How loud an answer is in the log. That a model is still loading is part of every start, as a full queue is of every rush: a
 * server that refuses requests meanwhile makes no error.
 * @param code of the error that was answered or that ended a stream
 */
export function levelOfAnswer(status: number, code: string | undefined): 'info' | 'error' {
  return status >= 500 && code !== 'model_loading' ? 'error' : 'info'
}
