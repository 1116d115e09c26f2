import { ServiceError } from '../api/errors.ts'
import type { UrlRefusal } from './check-url.ts'
import { maxUrlChars } from './check-url.ts'
import type { FetchFailure } from './fetch-image.ts'

/**
 * The client's error for an image that could not be fetched. It does not reveal whether a name exists or where it
 * points: a name with a private address reads exactly like a server that is down.
 * @param which 'image' or 'image 2 of 3'
 */
export function fetchFailureError(failure: FetchFailure, which: string): ServiceError {
  return new ServiceError(codes[failure.reason], `Cannot fetch ${which}: ${textOf(failure)}`, {
    param: 'image_url',
    cause: 'cause' in failure ? failure.cause : new Error(reasonText(failure)),
  })
}

type FetchErrorCode =
  'image_url_refused' | 'image_fetch_failed' | 'image_fetch_too_large' | 'image_fetch_timeout'

const codes: Readonly<Record<FetchFailure['reason'], FetchErrorCode>> = {
  url_refused: 'image_url_refused',
  redirect_refused: 'image_url_refused',
  too_many_redirects: 'image_fetch_failed',
  redirect_without_location: 'image_fetch_failed',
  unreachable: 'image_fetch_failed',
  broken_off: 'image_fetch_failed',
  status: 'image_fetch_failed',
  compressed: 'image_fetch_failed',
  not_an_image: 'image_fetch_failed',
  too_large: 'image_fetch_too_large',
  total_too_large: 'image_fetch_too_large',
  timeout: 'image_fetch_timeout',
}

function textOf(failure: FetchFailure): string {
  switch (failure.reason) {
    case 'url_refused':
      return refusalTexts[failure.why]
    case 'redirect_refused':
      return 'it redirects to a URL that is not allowed'
    case 'too_many_redirects':
      return `it redirects more than ${failure.maxRedirects} times`
    case 'redirect_without_location':
      return 'it redirects without saying where to'
    case 'unreachable':
      return 'its server cannot be reached'
    case 'broken_off':
      return 'its server ended the answer too early'
    case 'status':
      return `its server answered status ${failure.status}`
    case 'compressed':
      return 'its server answered with a compressed body'
    case 'not_an_image':
      return 'the answer is not a JPEG, PNG, WebP, GIF, AVIF or TIFF image'
    case 'too_large':
      return `it is over the limit of ${failure.maxBytes} bytes`
    case 'total_too_large':
      return `all images together are over the limit of ${failure.maxBytes} bytes`
    case 'timeout':
      return `it did not arrive within ${failure.timeoutMs} ms`
  }
}

const refusalTexts: Readonly<Record<UrlRefusal | 'host_rules', string>> = {
  too_long: `the URL is over the limit of ${maxUrlChars} characters`,
  not_absolute: 'the URL is not a complete http or https URL',
  forbidden_characters: 'the URL holds a space, a control character or a backslash',
  scheme: 'only http and https URLs are allowed',
  data_uri: 'a data URI is not fetched: send the picture itself to /generate/image',
  credentials: 'a URL with user name or password is not allowed',
  port: 'only ports 80 and 443 are allowed',
  host_name: 'its host is not a public one',
  address: 'its host is not a public one',
  host_rules: 'this server does not fetch from its host',
}

function reasonText(failure: FetchFailure): string {
  return 'why' in failure ? `${failure.reason}: ${failure.why}` : failure.reason
}
