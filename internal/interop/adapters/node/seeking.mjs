// Libraries that go by the central directory, and read data where it tells.

import { on } from 'node:events'
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { promisify } from 'node:util'
import { iterable, unixMode } from './common.mjs'

async function * readYauzl (yauzl, path, adapt = stream => stream) {
  const zip = await promisify(yauzl.open)(path, { lazyEntries: true, autoClose: false })
  const openReadStream = promisify(zip.openReadStream.bind(zip))
  const entries = on(zip, 'entry', { close: ['end'] })
  zip.readEntry()
  for await (const [e] of entries) {
    yield {
      name: e.fileName,
      size: e.uncompressedSize,
      crc: e.crc32,
      mode: unixMode(e.versionMadeBy, e.externalFileAttributes),
      mtime: e.getLastModDate(),
      data: async () => adapt(await openReadStream(e))
    }
    zip.readEntry()
  }
  zip.close()
}

export async function * yauzl (path) {
  yield * readYauzl(await import('yauzl'), path)
}

// What extract-zip, and so Electron and Puppeteer, build upon.
export async function * yauzl2 (path) {
  yield * readYauzl(await import('yauzl-2'), path, iterable)
}

export async function * yauzlPromise (path) {
  const yauzl = await import('yauzl-promise')
  const zip = await yauzl.open(path)
  for await (const e of zip) {
    yield {
      name: e.filename,
      size: e.uncompressedSize,
      crc: e.crc32,
      mode: unixMode(e.versionMadeBy, e.externalFileAttributes),
      mtime: e.getLastMod(),
      data: () => e.openReadStream()
    }
  }
  await zip.close()
}

export async function * unzipperOpen (path) {
  const { Open } = await import('unzipper')
  const { files } = await Open.file(path)
  for (const e of files) {
    yield {
      name: e.path,
      dir: e.type === 'Directory',
      size: e.uncompressedSize,
      crc: e.crc32,
      mode: unixMode(e.versionMadeBy, e.externalFileAttributes),
      mtime: e.lastModifiedDateTime,
      data: () => e.stream()
    }
  }
}

export async function * nodeStreamZip (path) {
  const { default: StreamZip } = await import('node-stream-zip')
  // As it comes it reads pieces of a 1,000th of the archive, which long names don't fit in.
  const zip = new StreamZip.async({ file: path, chunkSize: 1 << 17 }) // eslint-disable-line new-cap
  const entries = [] // zip.entries() is an object: it puts names like "7" first
  zip.on('entry', e => entries.push(e))
  await zip.entriesCount
  for (const e of entries) {
    yield {
      name: e.name,
      dir: e.isDirectory,
      size: e.size,
      crc: e.crc,
      mode: unixMode(e.verMade, e.attr),
      mtime: new Date(e.time),
      data: () => zip.stream(e)
    }
  }
  await zip.close()
}

// readAt is how unzipit and zip.js read: both through an object of the caller's.
function readAt (fd, offset, length) {
  const buffer = new Uint8Array(length)
  const n = readSync(fd, buffer, 0, length, offset)
  if (n !== length) throw new Error(`read ${n} bytes at ${offset}, want ${length}`)
  return buffer
}

export async function * unzipit (path) {
  const { unzipRaw } = await import('unzipit')
  const fd = openSync(path)
  const { entries } = await unzipRaw({
    getLength: async () => fstatSync(fd).size,
    read: async (offset, length) => readAt(fd, offset, length)
  })
  for (const e of entries) {
    yield {
      name: e.name,
      dir: e.isDirectory,
      size: e.size,
      mode: unixMode(e.versionMadeBy, e.externalFileAttributes),
      mtime: e.lastModDate,
      data: () => e.stream()
    }
  }
  closeSync(fd)
}

export async function * zipjs (path) {
  const { Reader, ZipReader, configure } = await import('@zip.js/zip.js')
  configure({ useWebWorkers: false })
  const fd = openSync(path)

  class FileReader extends Reader {
    async init () {
      await super.init()
      this.size = fstatSync(fd).size
    }

    async readUint8Array (index, length) {
      return readAt(fd, index, Math.min(length, this.size - index))
    }
  }

  async function * content (entry) {
    const { readable, writable } = new TransformStream()
    const done = entry.getData(writable)
    yield * readable
    await done
  }

  const zip = new ZipReader(new FileReader(), { checkSignature: true })
  for await (const e of zip.getEntriesGenerator()) {
    yield {
      name: e.filename,
      dir: e.directory,
      link: e.symlink,
      size: e.uncompressedSize,
      crc: e.crc32,
      mode: unixMode(e.versionMadeBy, e.externalFileAttributes), // unixMode is undefined for 0000
      mtime: e.lastModDate,
      uid: e.uid,
      gid: e.gid,
      data: () => content(e)
    }
  }
  await zip.close()
  closeSync(fd)
}

// Of modes Yarn drops set-user-ID and its kin, of times JsZipImpl everything.
async function * readYarn (options, path) {
  const { ZipFS } = await import('@yarnpkg/libzip')
  const zip = new ZipFS(path, { readOnly: true, ...options })
  for (const name of zip.getAllFiles()) {
    const stat = zip.lstatSync(name)
    yield {
      name: name.slice(1),
      dir: stat.isDirectory(),
      link: stat.isSymbolicLink(),
      size: stat.size,
      crc: stat.crc,
      data: () => stat.isSymbolicLink() ? Buffer.from(zip.readlinkSync(name)) : zip.readFileSync(name)
    }
  }
  zip.discardAndClose()
}

export async function * yarnLibzip (path) {
  const { getLibzipSync } = await import('@yarnpkg/libzip')
  getLibzipSync()
  yield * readYarn({}, path)
}

export async function * yarnJS (path) {
  const { JsZipImpl } = await import('@yarnpkg/libzip')
  yield * readYarn({ customZipImplementation: JsZipImpl }, path)
}
