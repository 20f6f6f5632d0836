// Libraries that want the whole archive in memory.

import { readFileSync } from 'node:fs'
import { iterable, unixMode } from './common.mjs'

export async function * jszip (path) {
  const { default: JSZip } = await import('jszip')
  const { files } = await JSZip.loadAsync(readFileSync(path), { checkCRC32: true })
  for (const e of Object.values(files)) {
    yield {
      name: e.name,
      dir: e.dir,
      mode: e.unixPermissions ?? undefined,
      mtime: e.date,
      data: () => iterable(e.nodeStream())
    }
  }
}

export async function * pizzip (path) {
  const { default: PizZip } = await import('pizzip')
  const { files } = new PizZip(readFileSync(path), { checkCRC32: true })
  for (const e of Object.values(files)) {
    yield {
      name: e.name,
      dir: e.dir,
      mode: e.unixPermissions ?? undefined,
      mtime: e.date,
      data: () => e.asUint8Array()
    }
  }
}

export async function * admZip (path) {
  const { default: AdmZip } = await import('adm-zip')
  for (const e of new AdmZip(path).getEntries()) {
    yield {
      name: e.entryName,
      dir: e.isDirectory,
      size: e.header.size,
      crc: e.header.crc,
      mode: unixMode(e.header.made, e.header.attr),
      mtime: e.header.time,
      data: () => e.getData()
    }
  }
}

export async function * fflateSync (path) {
  const { unzipSync } = await import('fflate')
  const infos = [] // what unzipSync returns is an object: it puts names like "7" first
  const files = unzipSync(readFileSync(path), { filter: info => infos.push(info) })
  for (const { name, originalSize } of infos) {
    yield { name, size: originalSize, data: () => files[name] }
  }
}

export async function * endo (path) {
  const { ZipReader } = await import('@endo/zip')
  for (const [name, e] of new ZipReader(readFileSync(path)).files) {
    yield { name, mtime: e.date, data: () => e.content } // of the mode it drops set-user-ID and its kin
  }
}

export async function * uzip (path) {
  const { default: UZIP } = await import('uzip')
  const archive = new Uint8Array(readFileSync(path)).buffer // a Buffer's may hold other things, too
  const infos = UZIP.parse(archive, true)
  for (const [name, data] of Object.entries(UZIP.parse(archive))) {
    yield { name, size: infos[name].size, data: () => data }
  }
}

export async function * butUnzip (path) {
  const { iter } = await import('but-unzip')
  for (const e of iter(readFileSync(path))) {
    yield { name: e.filename, data: () => e.read() }
  }
}

export async function * zip (path) {
  const { Reader } = await import('zip')
  const entries = []
  new Reader(readFileSync(path)).forEach(e => entries.push(e))
  for (const e of entries) {
    // Of the mode it drops set-user-ID and its kin; to the time it adds 64 seconds in odd minutes.
    yield { name: e.getName(), dir: e.isDirectory(), data: () => e.getData() }
  }
}
