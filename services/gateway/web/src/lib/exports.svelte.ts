/** The exports of the project: they are written on the server, whoever waits for them. */
import { address, get, post } from '../api/client'
import type { Export, Page } from '../api/types'
import { Loaded } from './loaded.svelte'
import { signedIn } from './session.svelte'

const SECONDS = 1
const SHOWN = 20

export interface Asked {
  format: Export['format']
  statuses: Export['statuses']
  figures: readonly string[] | undefined
  map_to: string
}

export class Exports {
  /** The newest first. */
  readonly list = new Loaded<Page<Export>>()

  readonly read = (): Promise<void> => this.list.ask(() => get(address('/api/v1/exports', { limit: SHOWN })))

  /** Resolves once it is asked for; its id. */
  async ask(asked: Asked): Promise<string> {
    const { id } = await signedIn(() => post<Export>('/api/v1/exports', asked))
    await this.read()
    return id
  }

  /** Reads again as long as one is being written. Ends by what it returns. */
  follow(): (() => void) | undefined {
    if (!this.list.value?.items.some(({ state }) => state === 'running')) return undefined
    const timer = setTimeout(() => void this.read(), SECONDS * 1000)
    return () => clearTimeout(timer)
  }
}
