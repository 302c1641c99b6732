/** Filters that somebody saved under a name for a project, in this browser: the name and the query of the address. */
import { session } from './session.svelte'

export interface Saved {
  name: string
  query: string
}

const place = (): string => `mitagger.filters.${session.who?.person ?? ''}.${session.id}`

export function savedFilters(): Saved[] {
  try {
    return JSON.parse(localStorage.getItem(place()) ?? '[]') as Saved[]
  } catch {
    return []
  }
}

/** A name that is there already gets the new query. */
export function saveFilter(name: string, query: string): Saved[] {
  return store([...savedFilters().filter((one) => one.name !== name), { name, query }])
}

export const forgetFilter = (name: string): Saved[] => store(savedFilters().filter((one) => one.name !== name))

function store(filters: Saved[]): Saved[] {
  localStorage.setItem(place(), JSON.stringify(filters))
  return filters
}
