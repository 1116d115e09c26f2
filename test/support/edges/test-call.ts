import { Call } from '../../../edge/calls/call.ts'

/** A request that has just arrived. @param known facts about it */
export function testCall(known: Partial<Pick<Call, 'key' | 'heldBody'>> = {}): Call {
  const call = new Call({
    requestId: 'a-request',
    arrivedAt: 0,
    address: undefined,
    clientSignal: () => new AbortController().signal,
  })
  return Object.assign(call, known)
}
