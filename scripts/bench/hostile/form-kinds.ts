import { routes } from '../../../shared/api/routes.ts'
import { hostileForms } from '../../../test/support/hostile-forms.ts'

/** A body that nobody answers, of any size. */
export interface FormKind {
  readonly name: string
  readonly path: string
  readonly contentType: string
  readonly make: (bytes: number) => string
}

/** Hostile forms of one route, and an ordinary one that is refused for its fields. */
export interface FormGroup {
  readonly ordinary: FormKind
  readonly hostile: readonly FormKind[]
}

/** Beginning, what is repeated, and end. */
type Shape = readonly [name: string, start: string, repeated: string, end: string]

const [multipart, urlEncoded] = [
  'multipart/form-data; boundary=x',
  'application/x-www-form-urlencoded',
]
const json = 'application/json'
const field = (name: string) => `--x\r\nContent-Disposition: form-data; name="${name}"`
const close = '\r\n--x--\r\n'
const message = '{"role":"user","content":"a"}'
/** Refused, so that no model has to read it. */
const chat = '{"n":0,"messages":['

export const formGroups: readonly FormGroup[] = [
  group(
    routes.image.path,
    multipart,
    ['ordinary upload', `${field('images')}; filename="a"\r\n\r\n`, 'a', close],
    [
      ...hostileForms.map(([name, start, repeated]): Shape => [name, start, repeated, '']),
      [
        'a prompt that names files',
        `${field('prompt')}\r\n\r\n`,
        'content-disposition: filename ',
        close,
      ],
      ['a prompt of dashes', `${field('prompt')}\r\n\r\n`, '-', close],
    ],
  ),
  group(
    routes.imageUrl.path,
    urlEncoded,
    ['ordinary form', 'prompt=', 'a', ''],
    [
      ['ampersands', 'prompt=a', '&', ''],
      ['percent signs', 'prompt=', '%', ''],
      ['URLs with brackets', 'prompt=a', '&image_url[0]=a', ''],
    ],
  ),
  group(
    routes.text.path,
    json,
    ['ordinary JSON', '{"n":0,"prompt":"', 'a', '"}'],
    [
      ['nested lists', '', '[', ''],
      ['nested objects', '', '{"a":', ''],
      ['quotes', '{"n":0,"x":["a"', ',""', ']}'],
      ['biases', '{"logit_bias":{"1":1', ',"1":1', '}}'],
      ['stop texts', '{"prompt":"a","stop":["a"', ',"a"', ']}'],
    ],
  ),
  group(
    routes.chat.path,
    json,
    ['ordinary chat', `${chat}{"role":"user","content":"`, 'a', '"}]}'],
    [
      ['turns', chat + message, `,${message}`, ']}'],
      [
        'parts',
        `${chat}{"role":"user","content":[{"type":"text","text":"a"}`,
        ',{"type":"text","text":"a"}',
        ']}]}',
      ],
      [
        'pictures',
        `${chat}{"role":"user","content":[{"type":"text","text":"a"}`,
        ',{"type":"image_url","image_url":"data:,"}',
        ']}]}',
      ],
    ],
  ),
]

function group(
  path: string,
  contentType: string,
  ordinary: Shape,
  hostile: readonly Shape[],
): FormGroup {
  const kind = ([name, start, repeated, end]: Shape): FormKind => ({
    name,
    path,
    contentType,
    make(bytes) {
      const times = Math.floor((bytes - start.length - end.length) / repeated.length)
      return start + repeated.repeat(times) + end
    },
  })
  return { ordinary: kind(ordinary), hostile: hostile.map(kind) }
}
