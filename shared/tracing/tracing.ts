/** Values of a span; absent ones are left out. Never prompts, keys, URLs or anything else a client writes freely. */
export type SpanAttributes = Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined>
>

/** A part of a trace. Times are milliseconds by the clock of the program. */
export interface TraceSpan {
  /** False when nobody will see it, so that nothing needs to be gathered for it. */
  readonly isRecorded: boolean
  /** Begins a part of it. @param kind `client`: the part is a call of another program */
  child(name: string, at: number, kind?: 'client'): TraceSpan
  /** Headers with which another program continues it (W3C Trace Context), whether or not it is recorded. */
  headers(): Readonly<Record<string, string>>
  /** A time in milliseconds since 1970, by the program's clock. */
  fromEpoch(ms: number): number
  end(at: number, result?: SpanResult): void
}

export interface SpanResult {
  /** Its name, where that was not known at its beginning. */
  readonly name?: string
  readonly attributes?: SpanAttributes
  /** Code of the error with which it ended. */
  readonly error?: string | undefined
}

export interface BeginSpan {
  readonly name: string
  /** The client's headers, of which an invalid `traceparent` is ignored. */
  readonly headers: { get(name: string): string | null }
  readonly at: number
}

/** Spans since the start of the program, by what became of them. */
export interface TraceCounts {
  readonly sent: number
  /** The queue was full. */
  readonly dropped: number
  /** The collector did not take them in time. */
  readonly failed: number
}

/** Traces of requests, on their way to an OpenTelemetry collector. No method fails or waits for the collector. */
export interface Tracing {
  /** Whether spans are sent at the end of each request, because nothing runs in between. */
  readonly flushesWithRequests: boolean
  /** Begins the span of a request that has arrived, in its client's trace if it names one. */
  begin(request: BeginSpan): TraceSpan
  /** Sends what is recorded. Never rejects. */
  flush(): Promise<void>
  readonly counts: () => TraceCounts
}
