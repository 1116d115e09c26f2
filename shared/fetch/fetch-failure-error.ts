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
  const { code, text } = describe(failure)
  return new ServiceError(code, `Cannot fetch ${which}: ${text}`, {
    param: 'image_url',
    cause: 'cause' in failure ? failure.cause : new Error(reasonText(failure)),
  })
}

type FetchErrorCode =
  'image_url_refused' | 'image_fetch_failed' | 'image_fetch_too_large' | 'image_fetch_timeout'

function describe(failure: FetchFailure): { code: FetchErrorCode; text: string } {
  switch (failure.reason) {
    case 'url_refused':
      return { code: 'image_url_refused', text: refusalText(failure.why) }
    case 'redirect_refused':
      return { code: 'image_url_refused', text: 'it redirects to a URL that is not allowed' }
    case 'too_many_redirects':
      return {
        code: 'image_fetch_failed',
        text: `it redirects more than ${failure.maxRedirects} times`,
      }
    case 'redirect_without_location':
      return { code: 'image_fetch_failed', text: 'it redirects without saying where to' }
    case 'unreachable':
      return { code: 'image_fetch_failed', text: 'its server cannot be reached' }
    case 'broken_off':
      return { code: 'image_fetch_failed', text: 'its server ended the answer too early' }
    case 'status':
      return { code: 'image_fetch_failed', text: `its server answered status ${failure.status}` }
    case 'compressed':
      return { code: 'image_fetch_failed', text: 'its server answered with a compressed body' }
    case 'not_an_image':
      return {
        code: 'image_fetch_failed',
        text: 'the answer is not a JPEG, PNG, WebP, GIF, AVIF or TIFF image',
      }
    case 'too_large':
      return {
        code: 'image_fetch_too_large',
        text: `it is over the limit of ${failure.maxBytes} bytes`,
      }
    case 'total_too_large':
      return {
        code: 'image_fetch_too_large',
        text: `all images together are over the limit of ${failure.maxBytes} bytes`,
      }
    case 'timeout':
      return {
        code: 'image_fetch_timeout',
        text: `it did not arrive within ${failure.timeoutMs} ms`,
      }
  }
}

function refusalText(why: UrlRefusal | 'host_rules'): string {
  switch (why) {
    case 'too_long':
      return `the URL is over the limit of ${maxUrlChars} characters`
    case 'not_absolute':
      return 'the URL is not a complete http or https URL'
    case 'forbidden_characters':
      return 'the URL holds a space, a control character or a backslash'
    case 'scheme':
      return 'only http and https URLs are allowed'
    case 'data_uri':
      return 'a data URI is not fetched: send the picture itself to /generate/image'
    case 'credentials':
      return 'a URL with user name or password is not allowed'
    case 'port':
      return 'only ports 80 and 443 are allowed'
    case 'host_name':
    case 'address':
      return 'its host is not a public one'
    case 'host_rules':
      return 'this server does not fetch from its host'
  }
}

function reasonText(failure: FetchFailure): string {
  return 'why' in failure ? `${failure.reason}: ${failure.why}` : failure.reason
}
