import type { RouteDocs } from '../route-doc.ts'

/** The routes on which the service reports about itself. */
export const serviceDocs: RouteDocs<
  'health' | 'livez' | 'readyz' | 'index' | 'docs' | 'pageFile' | 'openapi'
> = {
  health: {
    tag: 'Probes',
    summary: 'Whether a request would be answered now',
    answers: { 200: 'Health', 503: 'Health' },
    errors: [],
  },
  livez: {
    tag: 'Probes',
    summary: 'Whether the process answers anything',
    answers: { 200: 'Alive' },
    errors: [],
  },
  readyz: {
    tag: 'Probes',
    summary: 'Whether requests may be sent here, check by check',
    answers: { 200: 'Readiness', 503: 'Readiness' },
    errors: [],
  },
  index: {
    tag: 'About',
    summary: 'The name, the public routes and the path of this document',
    description: 'Where `Accept` asks for HTML, as browsers do, a page to ask about pictures.',
    answers: { 200: 'Index' },
    otherTypes: { 'text/html': 'Page' },
    errors: [],
  },
  docs: {
    tag: 'About',
    summary: 'This document as a page',
    answers: { 200: 'Page' },
    answerType: 'text/html',
    errors: [],
  },
  pageFile: {
    tag: 'About',
    summary: 'A module or a style that the pages load',
    description: 'The pages name the version; other ones are not found.',
    answers: { 200: 'PageFile' },
    answerType: 'text/javascript',
    otherTypes: { 'text/css': 'PageFile' },
    errors: ['not_found'],
  },
  openapi: {
    tag: 'About',
    summary: 'This document',
    answers: { 200: 'OpenApi' },
    errors: [],
  },
}
