// Prints what a library tells of the entries of an archive, a line an entry; see
// adapter in reader.go.
//
//	node read.mjs LIBRARY ARCHIVE
//
// A library is a function that takes the archive's path and yields entries:
//
//	name    string; a directory's ends in "/"
//	data    function that returns the data: a Uint8Array, or what yields them
//	dir     whether it is a directory; left out, the name tells
//	link    whether it is a symbolic link; left out, the mode tells
//	mtime   Date
//	size, crc, mode, uid, gid   numbers; left out if the library does not tell them

import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import * as memory from './memory.mjs'
import * as seeking from './seeking.mjs'
import * as streaming from './streaming.mjs'

const libraries = { ...seeking, ...streaming, ...memory }

async function sha256 (data) {
  const hash = createHash('sha256')
  for await (const piece of data instanceof Uint8Array ? [data] : data) hash.update(piece)
  return hash.digest('hex')
}

async function line (e) {
  const isDir = e.dir ?? e.name.endsWith('/')
  const isLink = e.link ?? (e.mode & constants.S_IFMT) === constants.S_IFLNK
  const name = isDir && !e.name.endsWith('/') ? e.name + '/' : e.name
  const words = {
    name: Buffer.from(name).toString('hex'),
    type: isDir ? 'd' : isLink ? 'l' : 'f',
    size: e.size,
    crc: e.crc?.toString(16).padStart(8, '0'),
    sha: isDir ? undefined : e.sha ?? await sha256(await e.data()),
    mode: e.mode?.toString(8),
    mtime: e.mtime && Math.floor(e.mtime.getTime() / 1000),
    uid: e.uid,
    gid: e.gid
  }
  return Object.entries(words).filter(([, v]) => v !== undefined).map(w => w.join('=')).join(' ') + '\n'
}

async function main (library, archive) {
  let lines = ''
  for await (const entry of libraries[library](archive)) {
    lines += await line(entry)
    if (lines.length > 1 << 16) {
      process.stdout.write(lines)
      lines = ''
    }
  }
  process.stdout.write(lines)
}

function fail (error) {
  console.error(String(error?.message ?? error).split('\n')[0])
  process.exit(1)
}

// Some libraries throw in callbacks of their own, where nothing can catch it; others,
// given half an archive, never come to an end. Node's exit code for that is 13.
process.on('uncaughtException', fail)
process.on('exit', code => { if (code === 13) console.error('the library just stops') })
await main(...process.argv.slice(2)).catch(fail)
