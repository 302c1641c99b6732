/** The pages, and whose they are: the roles in the project that may see one. */
import type { Project, Role } from '../api/types'

/** What somebody is, in a sentence. */
export const AS: Record<Role, string> = {
  administrator: 'an administrator',
  manager: 'a manager',
  annotator: 'an annotator',
  reviewer: 'a reviewer',
  observer: 'an observer',
  service: 'another system',
}

export interface Page {
  path: string
  text: string
  roles: readonly Role[]
  /** What nobody can do in a project that is archived. */
  work?: true
  /** Reached from another page. */
  within?: true
}

export const PAGES: readonly Page[] = [
  { path: 'work', text: 'My work', roles: ['annotator'], work: true },
  { path: 'review', text: 'Review', roles: ['reviewer'], work: true },
  { path: 'adjudication', text: 'Adjudication', roles: ['reviewer', 'manager', 'administrator'], work: true },
  { path: 'find', text: 'Search', roles: ['annotator', 'reviewer', 'manager', 'observer', 'administrator'] },
  { path: 'progress', text: 'Progress', roles: ['annotator', 'manager', 'observer', 'administrator'] },
  { path: 'collection', text: 'Figures', roles: ['manager', 'administrator'] },
  { path: 'import', text: 'Import', roles: ['manager', 'administrator'], work: true },
  { path: 'quarantine', text: 'Quarantine', roles: ['manager', 'administrator'], work: true },
  { path: 'export', text: 'Export', roles: ['manager', 'administrator'] },
  { path: 'project', text: 'Project', roles: ['manager', 'administrator'] },
  { path: 'people', text: 'People', roles: ['administrator'] },
  { path: 'vocabularies', text: 'Vocabularies', roles: ['annotator', 'reviewer', 'manager', 'observer', 'administrator'] },
  { path: 'system', text: 'System', roles: ['administrator'] },
  { path: 'audit', text: 'Record of administration', roles: ['administrator'], within: true },
]

/** Those that somebody with their roles in the project may see. */
export const pagesOf = (project: Project | null): Page[] =>
  PAGES.filter(({ roles, work }) => project && !(work && project.archived) && roles.some((role) => project.roles.includes(role)))

/** A page that is there, but not for them as what they are in the project. */
export function refused(path: string, project: Project): Page | null {
  const page = PAGES.find((one) => one.path === path)
  return page && !pagesOf(project).includes(page) ? page : null
}
