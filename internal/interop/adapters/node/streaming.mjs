// Libraries that take the archive as a stream, from its first byte to its last, and
// go by the local file headers.

import { createHash } from 'node:crypto'
import { on } from 'node:events'
import { createReadStream } from 'node:fs'

function pipe (path, parser) {
  return createReadStream(path).on('error', e => parser.destroy(e)).pipe(parser)
}

export async function * unzipperParse (path) {
  const { Parse } = await import('unzipper')
  for await (const e of pipe(path, Parse({ forceStream: true }))) {
    const dir = e.type === 'Directory'
    if (dir) e.autodrain()
    yield {
      name: e.path,
      dir,
      size: e.vars.uncompressedSize,
      crc: e.vars.crc32,
      mtime: e.vars.lastModifiedDateTime,
      data: () => e
    }
  }
}

export async function * unzipStream (path) {
  const { Parse } = await import('unzip-stream')
  for await (const [e] of on(pipe(path, Parse()), 'entry', { close: ['close'] })) {
    if (e.isDirectory) e.autodrain()
    yield { name: e.path, dir: e.isDirectory, size: e.size, data: () => e }
  }
}

export async function * fflateUnzip (path) {
  const { Unzip, UnzipInflate } = await import('fflate')
  const complete = []
  let started = 0
  let ended = 0
  const unzip = new Unzip(file => {
    started++
    const hash = createHash('sha256')
    file.ondata = (error, piece, final) => {
      if (error) throw error
      hash.update(piece)
      if (final) {
        ended++
        complete.push({ name: file.name, size: file.originalSize, sha: hash.digest('hex') })
      }
    }
    file.start()
  })
  unzip.register(UnzipInflate)
  for await (const piece of createReadStream(path)) {
    unzip.push(piece)
    yield * complete.splice(0)
  }
  unzip.push(new Uint8Array(), true)
  yield * complete
  if (started !== ended) throw new Error('archive ends within an entry')
}
