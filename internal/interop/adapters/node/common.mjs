import { Readable } from 'node:stream'

const UNIX = 3 // APPNOTE 4.4.2.2

// unixMode returns st_mode, if "version made by" says that the attributes hold one.
export function unixMode (versionMadeBy, externalAttributes) {
  return versionMadeBy >> 8 === UNIX ? externalAttributes >>> 16 : undefined
}

// iterable makes a stream of today of one that a library built in the style of Node 4,
// which for await does not take, or waits for without end.
export function iterable (stream) {
  return new Readable().wrap(stream)
}
