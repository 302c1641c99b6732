/** Times as every page says them: 24 hours, the month in letters. */
const MOMENT = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short', hourCycle: 'h23' })
const SECOND = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23' })
const DAY = new Intl.DateTimeFormat('en', { dateStyle: 'medium' })
const DATE = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeZone: 'UTC' })

export const moment = (at: string): string => MOMENT.format(new Date(at))
export const second = (at: string): string => SECOND.format(new Date(at))
export const day = (at: string): string => DAY.format(new Date(at))
/** A day without a time, as the server counts days: in UTC. */
export const date = (at: string): string => DATE.format(new Date(at))
