/** The six axes in the order of their digits, with what a person reads. */
import type { Axis } from '../api/types'

export const AXES: readonly { id: Axis; short: string; name: string; digit: string }[] = [
  { id: 'anatomy', short: 'Anatomy', name: 'Anatomy', digit: '1' },
  { id: 'disease', short: 'Disease', name: 'Disease & Symptoms', digit: '2' },
  { id: 'genetics', short: 'Genetics', name: 'Genetics, Proteins & Processes', digit: '3' },
  { id: 'imaging', short: 'Imaging', name: 'Imaging', digit: '4' },
  { id: 'intervention', short: 'Intervention', name: 'Medical Intervention', digit: '5' },
  { id: 'pharmaceutical', short: 'Drugs', name: 'Pharmaceutical Agent', digit: '6' },
]

export const AXIS_NAMES = Object.fromEntries(AXES.map((axis) => [axis.id, axis.name])) as Record<Axis, string>
