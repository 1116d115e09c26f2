import type { HttpBindings } from '@hono/node-server'
import type { MiddlewareHandler } from 'hono'
import { ServiceError } from '../../../shared/api/errors.ts'
import { requestIdFrom, requestIdHeader } from '../../../shared/api/wire/request-id.ts'
import type { BackendEnv, Exchange, RunningExchanges } from './exchange.ts'

/** Gives each request its id and a signal that fires when its client leaves. */
export function trackExchange(running: RunningExchanges): MiddlewareHandler<BackendEnv> {
  return async function track(c, next) {
    const exchange = running.open(requestIdFrom(c.req.header(requestIdHeader)))
    watchClient(exchange, c.env)
    c.set('exchange', exchange)
    await next()
    // An answer that began earlier has no such header, so its connection stays open for another request.
    if (running.closing) c.env.outgoing.shouldKeepAlive = false
    c.res.headers.set(requestIdHeader, exchange.requestId)
  }
}

/**
 * Ends the exchange when its answer is sent or its socket is gone. It watches the socket rather than the request or the
 * answer, because with several pipelined requests, only the first one's answer would notice that a client left.
 */
function watchClient(exchange: Exchange, { incoming: { socket }, outgoing }: HttpBindings): void {
  const leave = () => {
    exchange.abort(new ServiceError('cancelled', 'The client left before its answer was complete'))
    exchange.facts.errorCode ??= 'cancelled'
    exchange.end()
  }
  socket.once('close', leave)
  outgoing.once('finish', () => exchange.end())
  exchange.onEnd(() => socket.off('close', leave))
}

/** Refuses requests that arrive while the server is stopping. */
export function refuseWhenClosing(running: RunningExchanges): MiddlewareHandler<BackendEnv> {
  return async function closing(_c, next) {
    if (running.closing) throw new ServiceError('shutting_down', 'The server is stopping')
    await next()
  }
}
