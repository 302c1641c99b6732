"""Vocabularies as others publish them, read into `content.Content`; `reading` knows which file is of which format."""
