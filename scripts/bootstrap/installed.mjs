import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * @typedef {{ integrity?: string, optional?: boolean, dev?: boolean, devOptional?: boolean, os?: string | string[],
 *   cpu?: string | string[], libc?: string | string[] }} LockEntry
 */

/**
 * Compares package-lock.json with npm's record of what it actually installed. Optional packages for this platform
 * count too, because an installation by an older Node may lack them.
 * @param {string} folder of package-lock.json
 * @param {{ withDevelopment: boolean }} wanted
 */
export function isInstalled(folder, { withDevelopment }) {
  const wanted = readPackages(join(folder, 'package-lock.json'))
  const installed = readPackages(join(folder, 'node_modules/.package-lock.json'))
  if (wanted === undefined || installed === undefined) return false
  const isNeeded = (/** @type {LockEntry} */ entry) =>
    (!entry.optional || isNative(entry)) &&
    (withDevelopment || !(entry.dev === true || entry.devOptional === true))
  return (
    Object.entries(wanted).every(
      ([path, entry]) =>
        path === '' || !isNeeded(entry) || installed[path]?.integrity === entry.integrity,
    ) && Object.values(installed).every((entry) => fits(entry.os, process.platform))
  )
}

/** A package for particular platforms only. @param {LockEntry} entry */
function isNative({ os, cpu, libc }) {
  return (
    os !== undefined &&
    cpu !== undefined &&
    fits(os, process.platform) &&
    fits(cpu, process.arch) &&
    fits(libc, 'glibc')
  )
}

/** @param {string | string[] | undefined} list @param {string} value */
function fits(list, value) {
  return list === undefined || [list].flat().includes(value)
}

/** @param {string} path @returns {Record<string, LockEntry> | undefined} */
function readPackages(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages
  } catch {
    return undefined
  }
}
