const head = '--x\r\nContent-Disposition: form-data; name="prompt"'

/** Uploads of the boundary `x` that nobody can read: what they are, how they begin, and what they then repeat. */
export const hostileForms: readonly (readonly [name: string, start: string, repeated: string])[] = [
  ['lines that name a file', '--x\r\n', 'content-disposition: filename '],
  [
    'headers that name files',
    '--x\r\n',
    'content-disposition: form-data; name="images"; filename="a" ',
  ],
  ['a text that names files', `${head}\r\n\r\n`, 'content-disposition: filename '],
  ['parameters without end', head, ';'],
  ['parameters of one name', head, ';name=a'],
  ['an open quote', `${head}; filename="`, '\\'],
  ['quoted semicolons', `${head}; filename="`, ';'],
  ['folded lines', head, '\r\n '],
  ['blank headers', head, '\r\n:'],
  ['line breaks', `${head}\r\n\r\n`, '\r\n'],
  ['carriage returns', `${head}\r\n\r\n`, '\r'],
  ['almost delimiters', `${head}\r\n\r\n`, '\r\n--y'],
  ['delimiters with too much behind', `${head}\r\n\r\n`, `\r\n--x${' '.repeat(255)}y`],
  ['blanks behind a delimiter', `${head}\r\n\r\na\r\n--x`, ' '],
  ['parts', '', '--x\r\n\r\n\r\n'],
  ['parts with names', '', `${head}\r\n\r\na\r\n`],
  ['dashes', '', '-'],
  ['a preamble of dashes', '', '\n--'],
  ['base64', `${head}\r\nContent-Transfer-Encoding: base64\r\n\r\n`, 'QUJD\r\n'],
  ['soft line breaks', `${head}\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n`, '= \r\n'],
]
