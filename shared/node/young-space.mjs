import { setFlagsFromString } from 'node:v8'

/**
 * Keeps V8's two spaces for young objects as small as they are at the start, a megabyte each; to be called before anything
 * large is imported. By itself V8 grows each to 64 when much is alive at once, such as the requests of a busy second, and
 * the process stays larger for good. Sockets and TLS also take memory that V8 does not count and that is freed with the
 * young objects that own it: small spaces are emptied more often.
 */
export function keepYoungSpaceSmall() {
  setFlagsFromString('--semi-space-growth-factor=1')
}
