/** The API's shapes under the names that the pages use, from the committed OpenAPI document. */
import type { components } from './schema'

type Schemas = components['schemas']

export type Account = Schemas['AccountView']
export type AccountLink = Schemas['AccountLink']
export type Article = Schemas['ArticleView']
export type Assignment = Schemas['AssignmentView']
export type AssignmentPage = Schemas['AssignmentPage']
export type AssignmentSummary = Schemas['AssignmentSummary']
export type Comment = Schemas['CommentView']
export type Concern = Schemas['ConcernBody']['reason']
export type Concept = Schemas['FoundConcept']
export type ConceptDetail = Schemas['ConceptDetail']
export type DeadLetter = Schemas['DeadLetterRef']
export type Decision = Schemas['DecisionView']
export type Export = Schemas['Export']
export type Figure = Schemas['AnnotationFigureView']
export type FoundFigure = Schemas['FoundFigure']
export type Found = Schemas['Found']
export type Guidelines = Schemas['GuidelinesView']
export type Learned = Schemas['LearnedView']
export type HistoryEntry = Schemas['HistoryView']
export type Import = Schemas['ImportView']
export type PageView = Schemas['PageView']
export type Quarantined = Schemas['QuarantinedView']
export type Rectangle = Schemas['Rectangle']
export type Recommendation = Schemas['RecommendationView']
export type Reject = Schemas['RejectView']
export type JoinLink = Schemas['LinkView']
export type Session = Schemas['SessionView']
export type SignInMethods = Schemas['SignInMethods']
export type Status = Schemas['Status']
export type StoredFigure = Schemas['IngestFigureView']
export type Tag = Schemas['Tag']
export type Difference = Schemas['DifferenceView']
export type VocabularySet = Schemas['SetView']
export type VocabularyVersion = Schemas['VersionView']
export type Vocabulary = Schemas['VocabularyView']

export type Axis = Recommendation['axis']
export type Assertion = Recommendation['assertion']
export type Role = Session['roles'][number]
export type State = Assignment['state']
export type RejectReason = NonNullable<Decision['reason']>
export type Span = Schemas['Span']

export type Command = Schemas['Accept'] | Schemas['Reject'] | Schemas['Add'] | Schemas['Withdraw']

export interface Page<Item> {
  items: Item[]
  next?: string | null
}
