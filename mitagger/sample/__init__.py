"""Figures to try MITagger with: real pictures from installed packages, legends written for this sample (README.md)."""
