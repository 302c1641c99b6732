/** What administrators bring in, use and leave, vocabularies and mappings alike: versions, and the sets of them in use. */
import { address, call, get, post, remove, upload } from '../api/client'
import type { MappingSet, MappingVersion, Page, VocabularySet, VocabularyVersion } from '../api/types'
import { Loaded } from './loaded.svelte'
import { notices } from './notices.svelte'
import { signedIn } from './session.svelte'

const SECONDS = 1.5

/** What a version of a vocabulary and of mappings have in common. */
export type ImportedVersion = VocabularyVersion | MappingVersion
export type ImportedSet = VocabularySet | MappingSet

export class Imported<V extends ImportedVersion, S extends ImportedSet> {
  versions = new Loaded<Page<V>>()
  sets = new Loaded<Page<S>>()
  /** The share of a file that is sent; null while none is. */
  sent = $state<number | null>(null)
  readonly moving = $derived(
    [...(this.versions.value?.items ?? []), ...(this.sets.value?.items ?? [])].some((one) => ['running', 'waiting'].includes(one.state)),
  )
  readonly #root: string
  readonly #changed: () => void

  /** `root`: the address of all; `changed`: what they are may be other now. */
  constructor(root: string, changed: () => void = () => {}) {
    this.#root = root
    this.#changed = changed
  }

  load = async (): Promise<void> => {
    await Promise.all([
      this.versions.ask(() => get(address(`${this.#root}/versions`, { limit: 50 }))),
      this.sets.ask(() => get(address(`${this.#root}/sets`, { limit: 10 }))),
    ])
  }

  /** Looks again and again while something is on its way. Returns what ends it. */
  follow(): (() => void) | undefined {
    if (!this.moving) return undefined
    const timer = setInterval(() => void this.load().then(this.#changed), SECONDS * 1000)
    return () => clearInterval(timer)
  }

  /** Sends a file and has it imported. Whether it arrived. */
  async bring(file: File, fields: Record<string, string>, said: string): Promise<boolean> {
    this.sent = 0
    try {
      const { upload: id } = await signedIn(() =>
        upload<{ upload: string }>('/api/v1/uploads', file, (share) => (this.sent = share), 'application/octet-stream'),
      )
      await signedIn(() => post(`${this.#root}/versions`, { ...fields, upload: id, file: file.name }))
      notices.say(said)
      return true
    } catch (error) {
      notices.fail(error)
      return false
    } finally {
      this.sent = null
      await this.load()
    }
  }

  use = (one: V, said: string): Promise<void> => this.#act(() => post(`${this.#root}/sets`, { activate: [one.id] }), said)

  leave = (one: V): Promise<void> =>
    this.#act(() => post(`${this.#root}/sets`, { deactivate: one.name }), `${one.name} will not be used any more.`)

  back = (said: string): Promise<void> => this.#act(() => call('POST', `${this.#root}/rollback`), said)

  erase = (one: V): Promise<void> => this.#act(() => remove(`${this.#root}/versions/${one.id}`), 'Deleted.')

  async #act(send: () => Promise<unknown>, said: string): Promise<void> {
    try {
      await signedIn(send)
      notices.say(said)
    } catch (error) {
      notices.fail(error)
    }
    await this.load()
    this.#changed()
  }
}
