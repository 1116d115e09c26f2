import { el } from '../../dom.ts'
import { counted, duration } from '../../format.ts'
import type { AnswerEnd } from '../history/record.ts'

const phases = [
  ['prepare_ms', 'Prepare'],
  ['queue_ms', 'Wait'],
  ['vision_ms', 'Look'],
  ['prefill_ms', 'Read'],
  ['decode_ms', 'Write'],
] as const

/** Tokens and timings of a complete answer. */
export function factsOf({ usage, timings, requestId }: AnswerEnd): HTMLElement {
  const {
    completion_tokens: written,
    prompt_tokens: read,
    image_tokens: seen,
    reasoning_tokens: thought = 0,
    cached_tokens: cached,
  } = usage
  const perSecond = timings.decode_ms > 0 ? (written / timings.decode_ms) * 1_000 : 0
  const numbers = [
    counted(written, 'token'),
    ...(thought > 0 ? [`${thought.toLocaleString('en')} of them thoughts`] : []),
    ...(perSecond > 0 ? [`${perSecond.toFixed(perSecond < 10 ? 1 : 0)} per second`] : []),
    duration(timings.total_ms),
  ]
  const prompt = [
    `${counted(read, 'token')} read`,
    ...(seen > 0 ? [`${seen.toLocaleString('en')} of them pictures`] : []),
    ...(cached > 0 ? [`${cached.toLocaleString('en')} known already`] : []),
  ]
  return el(
    'div',
    { class: 'facts' },
    el('p', { class: 'numbers' }, numbers.join(' · ')),
    phaseBar(timings),
    el(
      'dl',
      { class: 'phases' },
      ...phases.map(([name, label]) =>
        el('div', { class: name }, el('dt', {}, label), el('dd', {}, duration(timings[name]))),
      ),
    ),
    el('p', { class: 'small' }, prompt.join(', ')),
    el('p', { class: 'small request-id' }, 'Request ', el('code', {}, requestId)),
  )
}

/** The phases as segments of a bar; the list below it has the same numbers. */
function phaseBar(timings: AnswerEnd['timings']): HTMLElement {
  const bar = el('div', { class: 'bar-of-phases', 'aria-hidden': 'true' })
  for (const [name] of phases) {
    const part = el('span', { class: name })
    part.style.flexGrow = String(timings[name])
    bar.append(part)
  }
  return bar
}
