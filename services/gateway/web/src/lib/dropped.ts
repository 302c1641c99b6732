/** The files that somebody drops or chooses: single ones, or a folder with all that is in it. */
import type { Entry } from './zip'

export interface Given {
  name: string
  /** A folder's files, by their path in it; else the one file. */
  folder: Entry[] | null
  file: File | null
}

/** What lies in a drop. It must be asked for at once: the event's items are gone afterwards. */
export async function dropped(transfer: DataTransfer | null): Promise<Given[]> {
  const entries = [...(transfer?.items ?? [])].map((item) => item.webkitGetAsEntry()).filter((one) => one !== null)
  return Promise.all(
    entries.map(async (entry): Promise<Given> => {
      if (entry.isFile) return { name: entry.name, folder: null, file: await opened(entry as FileSystemFileEntry) }
      return { name: entry.name, folder: await within(entry as FileSystemDirectoryEntry, ''), file: null }
    }),
  )
}

/** What an input that takes a folder was given. */
export function chosenFolder(files: FileList): Given[] {
  const first = files[0]
  if (!first) return []
  const [name = ''] = first.webkitRelativePath.split('/')
  const folder = [...files]
    .map((file) => ({ path: file.webkitRelativePath.slice(name.length + 1), file }))
    .filter(({ path }) => !hidden(path))
  return [{ name, folder, file: null }]
}

export const chosenFiles = (files: FileList): Given[] => [...files].map((file) => ({ name: file.name, folder: null, file }))

/** Such as .DS_Store: no figure. */
const hidden = (path: string): boolean => path.split('/').some((part) => part.startsWith('.'))

const opened = (entry: FileSystemFileEntry): Promise<File> => new Promise((resolve, reject) => entry.file(resolve, reject))

async function within(folder: FileSystemDirectoryEntry, path: string): Promise<Entry[]> {
  const reader = folder.createReader()
  const found: Entry[] = []
  // A reader gives some at a time, none at the end.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject))
    if (!some.length) return found
    for (const entry of some.filter(({ name }) => !hidden(name))) {
      if (entry.isFile) found.push({ path: path + entry.name, file: await opened(entry as FileSystemFileEntry) })
      else found.push(...(await within(entry as FileSystemDirectoryEntry, `${path}${entry.name}/`)))
    }
  }
}
