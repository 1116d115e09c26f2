import type { Context } from 'hono'
import { maxUploadBytes } from '../../../shared/api/limits.ts'
import type { BackendEnv } from '../exchange/exchange.ts'
import { type ImagePlaces, type LiftedJson, LiftingReader } from './lifting-reader.ts'
import { mediaTypeOf } from './media-type.ts'
import { readChunks } from './read-body.ts'

/** A JSON body with images in it. @throws {ServiceError} `unsupported_media_type`, or as `readChunks` and `LiftingReader` */
export async function readLifted(
  c: Context<BackendEnv>,
  places?: ImagePlaces,
): Promise<LiftedJson> {
  const { incoming } = c.env
  mediaTypeOf(incoming.headers, ['application/json'])
  const reader = new LiftingReader(places)
  for await (const chunk of readChunks(incoming, c.get('exchange'), maxUploadBytes)) {
    reader.push(chunk)
  }
  return reader.end()
}
