import { existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { z } from 'zod'
import { parseEnvironment, portSetting } from '../../shared/node/environment.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** `npm start` makes certificates itself; these belong to backend and edge run one by one. */
const refused = z.undefined({ error: 'is not for npm start, which makes its own certificates' })

const schema = z.object({
  HOST: z.string().default('127.0.0.1'),
  PORT: portSetting.default(8787),
  BACKEND_HOST: z.string().default('127.0.0.1'),
  BACKEND_PORT: portSetting.default(8443),
  STATE_DIR: z.string().default('.local'),
  API_KEY: z
    .string()
    .regex(/^[\x21-\x7e]{1,256}$/, 'expected up to 256 visible ASCII characters')
    .optional(),
  EDGE: z.enum(['worker', 'node']).default('worker'),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info'),
  BACKEND_URL: refused.optional(),
  TLS_CA: refused.optional(),
  TLS_CERT: refused.optional(),
  TLS_KEY: refused.optional(),
})

export type StartSettings = Readonly<z.infer<typeof schema>>

/** The environment with what a `.env` file in `folder` adds to it; the real environment wins. */
export function withDotEnv(environment: Environment, folder: string): Environment {
  const path = `${folder}/.env`
  return existsSync(path)
    ? { ...parseEnv(readFileSync(path, 'utf8')), ...environment }
    : environment
}

/** The settings `npm start` itself needs. @throws {ConfigError} naming every bad variable */
export function parseStartSettings(environment: Environment): StartSettings {
  return parseEnvironment(schema, environment)
}
