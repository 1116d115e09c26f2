import { type ErrorCode, errorKinds } from '../../../shared/api/errors.ts'
import type { Usage } from '../../../shared/api/events.ts'
import type { EdgeRouteName } from '../../../shared/api/routes.ts'
import type { Phase } from '../../../shared/tracing/phases.ts'
import type { Call, CallOutcome, CallPhase } from '../call.ts'

/** A completed call, as it is counted. No client can choose any of its values freely. */
export interface MeasuredCall {
  /** Undefined for a path that does not exist. */
  readonly route: EdgeRouteName | undefined
  readonly status: number
  readonly errorCode: ErrorCode | undefined
  /** From its arrival to the last byte of its answer, in milliseconds as all below. */
  readonly ms: number
  readonly phases: readonly Phase<CallPhase>[]
  readonly usage: Usage | undefined
  readonly images: number
}

/** Counts calls. */
export interface CallMeasure {
  /** A call has arrived; `ended` follows. */
  began(): void
  ended(call: MeasuredCall): void
  /** What a call has used could not be recorded; its log line says what that was. */
  unrecorded(): void
}

/** @param now when its answer ended, by the clock that `arrivedAt` was read from */
export function measuredCall(
  call: Call,
  status: number,
  now: number,
  outcome?: CallOutcome,
): MeasuredCall {
  return {
    route: call.route,
    status,
    errorCode: call.failure?.code ?? errorCodeOf(outcome?.errorCode),
    ms: now - call.arrivedAt,
    phases: call.phases.until(now),
    usage: outcome?.usage,
    images: outcome?.images ?? 0,
  }
}

/** A backend of another version may know codes that are not in our table. */
function errorCodeOf(text: string | undefined): ErrorCode | undefined {
  return text !== undefined && Object.hasOwn(errorKinds, text) ? (text as ErrorCode) : undefined
}
