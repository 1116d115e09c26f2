import { ServiceError } from '../../../shared/api/errors.ts'

/**
 * - loading: the first process is not ready yet
 * - restarting: a process ended or hung, and its successor is not ready yet
 * - failed: the model cannot be loaded; final
 * - stopped: `close` was called; final
 */
export type InferenceState = 'loading' | 'ready' | 'restarting' | 'failed' | 'stopped'

/** The error for jobs while none are accepted. */
export function notReadyError(state: Exclude<InferenceState, 'ready'>): ServiceError {
  switch (state) {
    case 'loading':
    case 'restarting':
      return new ServiceError('model_loading', 'The model is still loading')
    case 'failed':
      return new ServiceError('backend_unavailable', 'The model could not be loaded')
    case 'stopped':
      return shuttingDownError()
  }
}

export function restartedError(): ServiceError {
  return new ServiceError('engine_restarted', 'The engine stopped while it worked on the request')
}

export function shuttingDownError(): ServiceError {
  return new ServiceError('shutting_down', 'The server is shutting down')
}
