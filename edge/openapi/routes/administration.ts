import { listKeysQuery } from '../../../shared/api/administration/keys.ts'
import { usageQuery } from '../../../shared/api/administration/usage.ts'
import type { RouteDocs } from '../route-doc.ts'
import { withBody } from '../route-errors.ts'

const tag = 'Administration'

/** A request about one key, with nothing in its body. */
const aboutOneKey = { tag, errors: ['invalid_field', 'not_found'] } as const

/** The routes of administrators. */
export const administrationDocs: RouteDocs<
  | 'createKey'
  | 'listKeys'
  | 'showKey'
  | 'changeKey'
  | 'removeKey'
  | 'revokeKey'
  | 'rotateKey'
  | 'usage'
  | 'metrics'
> = {
  createKey: {
    tag,
    summary: 'Make a key, which is shown this one time',
    body: { 'application/json': 'NewKey' },
    example: { note: 'the shop', scopes: ['image'], limits: { images_per_day: 1000 } },
    answers: { 201: 'IssuedKey' },
    errors: withBody,
  },
  listKeys: {
    tag,
    summary: 'List keys, the oldest first',
    query: listKeysQuery,
    answers: { 200: 'KeyList' },
    errors: ['invalid_field'],
  },
  showKey: {
    ...aboutOneKey,
    summary: 'Show a key',
    answers: { 200: 'Key' },
  },
  changeKey: {
    tag,
    summary: 'Change a key; `limits` are replaced as a whole',
    body: { 'application/json': 'KeyChanges' },
    example: { expires_at: '2027-01-01T00:00:00Z' },
    answers: { 200: 'Key' },
    errors: [...withBody, 'not_found'],
  },
  removeKey: {
    ...aboutOneKey,
    summary: 'Remove a key',
    answers: { 200: 'RemovedKey' },
  },
  revokeKey: {
    ...aboutOneKey,
    summary: 'Revoke a key; doing so twice changes nothing',
    answers: { 200: 'Key' },
  },
  rotateKey: {
    tag,
    summary: 'Give a key a new secret, which is shown this one time',
    body: { 'application/json': 'KeyRotation' },
    bodyIsOptional: true,
    example: { grace_seconds: 3600 },
    answers: { 200: 'IssuedKey' },
    errors: [...withBody, 'not_found', 'key_not_active'],
  },
  usage: {
    tag,
    summary: 'What keys have used on each day (UTC)',
    query: usageQuery,
    answers: { 200: 'Usage' },
    errors: ['invalid_field', 'limits_unavailable'],
  },
  metrics: {
    tag,
    summary: 'The counts of this edge, as Prometheus reads them; 404 where it runs as a Worker',
    answers: { 200: 'Metrics' },
    answerType: 'text/plain',
    errors: ['not_found'],
  },
}
