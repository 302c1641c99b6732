/** What people are called where somebody else's work is shown. */
import { get } from '../api/client'
import type { Members } from '../api/types'
import { session, signedIn } from './session.svelte'

/** Names by pseudonym, for who may know them: who leads the project. Empty for everybody else. */
export async function names(): Promise<ReadonlyMap<string, string>> {
  if (!session.has('manager', 'administrator')) return new Map()
  const { items } = await signedIn(() => get<Members>(`${session.root}/members`))
  return new Map(items.map((one) => [one.person, one.name]))
}

/** A name, else the end of the pseudonym: its beginning is the time at which it was made, and alike for many. */
export const called = (person: string, known: ReadonlyMap<string, string>): string => known.get(person) ?? person.slice(-6)
