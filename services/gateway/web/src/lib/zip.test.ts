import { expect, test } from 'vitest'
import { crc32, zipped } from './zip'

test('the checksum is that of zip', async () => {
  // The check value of CRC-32/ISO-HDLC.
  expect(await crc32(new Blob(['123456789']))).toBe(0xcbf43926)
  expect(await crc32(new Blob([]))).toBe(0)
})

test('each content lies where the zip says', async () => {
  const { zip, ends } = await zipped([
    { path: 'a.txt', file: new Blob(['first']) },
    { path: 'folder/ä.txt', file: new Blob(['second']) },
  ])
  const bytes = new Uint8Array(await zip.arrayBuffer())
  const text = new TextDecoder()
  expect(ends.map((end, i) => text.decode(bytes.slice(end - [5, 6][i]!, end)))).toEqual(['first', 'second'])
  const end = new DataView(bytes.buffer, bytes.length - 22)
  expect(end.getUint16(10, true)).toBe(2)
  expect(end.getUint32(16, true)).toBe(ends[1])
  expect(end.getUint32(12, true) + end.getUint32(16, true) + 22).toBe(bytes.length)
})
