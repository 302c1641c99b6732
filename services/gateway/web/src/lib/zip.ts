/** A zip of files as they are (method "store"; APPNOTE.TXT 6.3.10), so that a folder goes the way of a zip. Nothing is
copied: the zip is made of the files themselves and the headers between them. */

export interface Entry {
  path: string
  file: Blob
}

/** Larger ones would need ZIP64. */
export const MOST_BYTES = 4_000_000_000
export const MOST_FILES = 65_000

const UTF8 = 0x0800
const CHUNK = 4 << 20
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
  return value
})

/** The zip, and where each entry's content ends in it. `read` is told of every entry that was read. */
export async function zipped(
  entries: readonly Entry[],
  read: (index: number) => void = () => undefined,
): Promise<{ zip: Blob; ends: number[] }> {
  const parts: BlobPart[] = []
  const directory: BlobPart[] = []
  const ends: number[] = []
  let [at, listed] = [0, 0]
  for (const [index, { path, file }] of entries.entries()) {
    const name = new TextEncoder().encode(path)
    const crc = await crc32(file)
    // version, flags, method, time and date of 1980-01-01, CRC, size twice, length of the name, none of extra fields
    const common = [[20, 2], [UTF8, 2], [0, 2], [0, 2], [0x21, 2], [crc, 4], [file.size, 4], [file.size, 4], [name.length, 2], [0, 2]] as const
    const local = packed([0x04034b50, 4], ...common)
    directory.push(packed([0x02014b50, 4], [20, 2], ...common, [0, 2], [0, 2], [0, 2], [0, 4], [at, 4]), name)
    parts.push(local, name, file)
    at += local.length + name.length + file.size
    listed += 46 + name.length
    ends.push(at)
    read(index)
  }
  const count = entries.length
  const end = packed([0x06054b50, 4], [0, 2], [0, 2], [count, 2], [count, 2], [listed, 4], [at, 4], [0, 2])
  return { zip: new Blob([...parts, ...directory, end], { type: 'application/zip' }), ends }
}

export async function crc32(file: Blob): Promise<number> {
  let crc = 0xffffffff
  for (let from = 0; from < file.size; from += CHUNK) {
    for (const byte of new Uint8Array(await file.slice(from, from + CHUNK).arrayBuffer()))
      crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] as number)
  }
  return (crc ^ 0xffffffff) >>> 0
}

/** Little-endian numbers of so many bytes. */
function packed(...numbers: readonly (readonly [value: number, bytes: number])[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(numbers.reduce((sum, [, bytes]) => sum + bytes, 0)))
  let at = 0
  for (const [value, bytes] of numbers) {
    if (bytes === 2) view.setUint16(at, value, true)
    else view.setUint32(at, value, true)
    at += bytes
  }
  return new Uint8Array(view.buffer)
}
