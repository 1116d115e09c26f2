import { existsSync, readFileSync } from 'node:fs'
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
    isForHere(entry) && (withDevelopment || !(entry.dev === true || entry.devOptional === true))
  return (
    Object.entries(wanted).every(
      ([path, entry]) =>
        path === '' || !isNeeded(entry) || installed[path]?.integrity === entry.integrity,
    ) && Object.values(installed).every((entry) => fits(entry.os, process.platform))
  )
}

/**
 * How far an installation has come: which of the packages that this platform needs are in their places.
 * @param {string} folder of package-lock.json
 */
export function countExtracted(folder) {
  const wanted = Object.entries(readPackages(join(folder, 'package-lock.json')) ?? {})
  const paths = wanted.filter(([path, entry]) => path !== '' && isForHere(entry))
  const present = paths.filter(([path]) => existsSync(join(folder, path, 'package.json')))
  return { present: present.length, all: paths.length }
}

/** @param {LockEntry} entry */
function isForHere(entry) {
  return !entry.optional || isNative(entry)
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
